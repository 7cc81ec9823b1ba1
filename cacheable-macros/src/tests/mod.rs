use proc_macro2::TokenStream;
#[test]
fn look() {
    let args: TokenStream = r#"ttl = 3600, key_prefix = "project""#.parse().unwrap();
    let item: TokenStream = "async fn get_project(&self, id: &str) -> Result<Project, DbError> { self.database.project(id).await }".parse().unwrap();
    let out = crate::expand::cacheable(args.clone(), item);
    println!("{}", print(out));
    let item: TokenStream = "pub async fn get_project<T: X>(&self, id: &str, (a, mut b): (u8, u8)) -> Result<Project, DbError> { self.database.project(id).await }".parse().unwrap();
    println!(
        "{}",
        print(crate::expand::cacheable(args.clone(), item.clone()))
    );
    let args: TokenStream = r#""cache:project:*", method(Self::get_project(id)), "x:{id}:[ab]*""#
        .parse()
        .unwrap();
    println!(
        "{}",
        print(crate::expand::cache_invalidate(args.clone(), item.clone()))
    );
    println!(
        "{}",
        print(crate::expand::cache_put(
            "method(self.get_project(id, a.b))".parse().unwrap(),
            item.clone()
        ))
    );
    println!(
        "{}",
        print(crate::expand::cacheable(
            "ttl = 0, tll = 5, key = \"{i}\", prefix = \"x\""
                .parse()
                .unwrap(),
            item
        ))
    );
}
fn print(tokens: TokenStream) -> String {
    let file: syn::File = syn::parse2(quote::quote!(impl X { #tokens })).unwrap();
    prettyplease::unparse(&file)
}
