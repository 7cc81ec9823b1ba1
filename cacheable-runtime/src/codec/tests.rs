use super::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct P {
    id: u64,
    name: String,
    tags: Vec<String>,
    child: Option<Box<P>>,
}

#[test]
fn smoke() {
    let s = schema::<P>(CodecChoice::Auto, 0);
    println!("{s:?} {:?}", s.info.shape);
    let v = P {
        id: 1,
        name: "x".into(),
        tags: vec!["a".into()],
        child: Some(Box::new(P {
            id: 2,
            name: "y".into(),
            tags: vec![],
            child: None,
        })),
    };
    let mut out = vec![];
    let c = encode(&s, &v, 1 << 20, &mut out).unwrap();
    assert_eq!(c, CodecId::Bincode);
    assert_eq!(decode::<P>(c, &out).unwrap(), v);
    let m = schema::<P>(CodecChoice::MsgPack, 0);
    out.clear();
    let c = encode(&m, &v, 1 << 20, &mut out).unwrap();
    assert_eq!(decode::<P>(c, &out).unwrap(), v);
}
