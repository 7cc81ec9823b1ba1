impl Projects {
    #[cache_put(method(Self::get_project(id)), when = id > 0)]
    pub async fn rename(&self, id: u64, name: String) -> Result<Project, DbError> {
        self.database.rename(id, name).await
    }
}

// ----------------------------------------

impl Projects {
    pub async fn rename(&self, id: u64, name: String) -> Result<Project, DbError> {
        let __cacheable_call = {
            let __cacheable_key = Self::get_project_key(
                ::core::clone::Clone::clone(&id),
            );
            let __cacheable_target = ::cacheable_runtime::__private::shape_of_key!(
                & __cacheable_key
            );
            (
                {
                    let __cacheable_site = ::cacheable_runtime::__private::site!(
                        Put("rename")
                    );
                    if id > 0 {
                        __cacheable_site
                            .begin(
                                ::cacheable_runtime::__private::global(),
                                __cacheable_key,
                            )
                    } else {
                        __cacheable_site.skip()
                    }
                },
                __cacheable_target,
            )
        };
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Result < Project, DbError >);
            self.database.rename(id, name).await
        };
        __cacheable_call
            .0
            .run(
                ::cacheable_runtime::__private::shape!(Result < Project, DbError >),
                __cacheable_call.1,
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
}
