impl Projects {
    #[cacheable(ttl = 3600, key_prefix = "project")]
    async fn get_project(&self, id: &str) -> Result<Project, DbError> {
        self.database.project(id).await
    }
}

// ----------------------------------------

impl Projects {
    async fn get_project(&self, id: &str) -> Result<Project, DbError> {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Site("project", "get_project").ttl_millis(3600000u64)
        )
            .call(
                ::cacheable_runtime::__private::global(),
                |__cacheable_key| {
                    __cacheable_key.arg(&id);
                },
            );
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Result < Project, DbError >);
            self.database.project(id).await
        };
        __cacheable_call
            .run(
                ::cacheable_runtime::__private::shape!(Result < Project, DbError >),
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
}
