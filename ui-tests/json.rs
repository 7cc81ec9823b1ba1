//! `codec = "json"`, accepted where the feature is on. Only what is built outside of
//! `trybuild` may turn it on, since `fail/cacheable/codec_without_feature.rs` needs it off.

use cacheable_runtime::{CodecId, Runtime, cacheable};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Project {
    name: String,
    stars: Option<u32>,
}

struct Projects(Runtime);

impl Projects {
    #[cacheable(ttl = 60, key_prefix = "project", codec = "json", runtime = self.0)]
    pub(crate) async fn named(&self, name: &str) -> Result<Project, String> {
        let name = name.to_owned();
        Ok(Project {
            stars: Some(name.len() as u32),
            name,
        })
    }
}

#[tokio::test]
async fn an_entry_is_json_and_comes_back() {
    let projects = Projects(Runtime::embedded());
    let loaded = projects.named("quilt").await.unwrap();
    let cache = projects.0.cache();
    let entry = cache.inspect(Projects::named_key("quilt")).await.unwrap();
    assert_eq!(entry.unwrap().codec, Some(CodecId::Json));
    assert_eq!(projects.named("quilt").await.unwrap(), loaded);
    assert_eq!(projects.0.observe().method("project.named").hits_local, 1);
}
