impl Projects {
    #[cache_invalidate(
        "cache:project:*",
        "cache:team:{update.team}:[ab]",
        method(Self::get_project(id)),
        method(self.summary(update.id, &id)),
        unless = |value| value.is_draft,
        before,
        on_failure = "error"
    )]
    pub async fn update(&self, id: String, update: Update) -> Result<Project, DbError> {
        self.database.update(id, update).await
    }

    #[cache_invalidate("cache:project:*", when = hard)]
    async fn touch(&mut self, hard: bool) {
        self.touched += 1;
    }
}

// ----------------------------------------

impl Projects {
    pub async fn update(&self, id: String, update: Update) -> Result<Project, DbError> {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Invalidation("update")
        )
            .begin(::cacheable_runtime::__private::global())
            .pattern(|__cacheable_key| {
                __cacheable_key.literal("cache:project:*");
            })
            .pattern(|__cacheable_key| {
                __cacheable_key
                    .literal("cache:team:")
                    .value(&update.team)
                    .literal(":[ab]");
            })
            .method(Self::get_project_key(::core::clone::Clone::clone(&id)))
            .method(self.summary_key_for(::core::clone::Clone::clone(&update.id), &id))
            .before();
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Result < Project, DbError >);
            self.database.update(id, update).await
        };
        __cacheable_call
            .run_unless_reporting(
                ::cacheable_runtime::__private::shape!(Result < Project, DbError >),
                ::core::pin::pin!(__cacheable_body),
                |value| value.is_draft,
            )
            .await
    }
    async fn touch(&mut self, hard: bool) {
        let __cacheable_call = {
            let __cacheable_site = ::cacheable_runtime::__private::site!(
                Invalidation("touch")
            );
            if hard {
                __cacheable_site
                    .begin(::cacheable_runtime::__private::global())
                    .pattern(|__cacheable_key| {
                        __cacheable_key.literal("cache:project:*");
                    })
            } else {
                __cacheable_site.skip()
            }
        };
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(());
            self.touched += 1;
        };
        __cacheable_call
            .run(
                ::cacheable_runtime::__private::shape!(()),
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
}
