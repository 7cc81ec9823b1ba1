impl ProjectService {
    #[cacheable(
        ttl = 60,
        key_prefix = "project",
        key = "{id}",
        tags = ["team:{team}", "tenant:{self.tenant}", "owner:{value.owner}:{value.slug()}", "kind:{T}"],
        unless = |value| value.is_draft
    )]
    pub async fn get<T: Kind>(&self, id: u64, team: &str) -> Result<Project, DbError> {
        self.database.project::<T>(id, team).await
    }

    #[cache_invalidate(tags = ["team:{team}", "projects"])]
    async fn close(&self, team: &str) -> Result<(), DbError> {
        self.database.close(team).await
    }
}

// ----------------------------------------

impl ProjectService {
    pub async fn get<T: Kind>(&self, id: u64, team: &str) -> Result<Project, DbError> {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Site("project", "get").ttl_millis(60000u64)
        )
            .call(
                ::cacheable_runtime::__private::global(),
                |__cacheable_key| {
                    __cacheable_key.type_arg::<T>().literal(":").value(&id);
                },
            )
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("team:").value(&team);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("tenant:").value(&self.tenant);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("kind").type_arg::<T>();
            });
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Result < Project, DbError >);
            self.database.project::<T>(id, team).await
        };
        __cacheable_call
            .run_full(
                ::cacheable_runtime::__private::shape!(Result < Project, DbError >),
                ::core::pin::pin!(__cacheable_body),
                |value| value.is_draft,
                |__cacheable_value, __cacheable_tags| {
                    __cacheable_tags
                        .tag(|__cacheable_tag| {
                            __cacheable_tag
                                .literal("owner:")
                                .value(&__cacheable_value.owner)
                                .literal(":")
                                .value(&__cacheable_value.slug());
                        });
                },
                ::cacheable_runtime::__private::never_late,
            )
            .await
    }
    /// Names the entry of [`get`](Self::get) with these arguments.
    #[allow(dead_code, unused_mut, unused_variables)]
    pub fn get_key<T: Kind>(
        &self,
        id: u64,
        team: &str,
    ) -> ::cacheable_runtime::MethodKey<Result<Project, DbError>> {
        ::cacheable_runtime::__private::site!(
            Site("project", "get").ttl_millis(60000u64)
        )
            .method_key(|__cacheable_key| {
                __cacheable_key.type_arg::<T>().literal(":").value(&id);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("team:").value(&team);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("tenant:").value(&self.tenant);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("kind").type_arg::<T>();
            })
            .tagged_by_value()
    }
    #[doc(hidden)]
    #[allow(dead_code)]
    pub fn get_key_for<T: Kind>(
        &self,
        __cacheable_0: u64,
        __cacheable_1: &str,
    ) -> ::cacheable_runtime::MethodKey<Result<Project, DbError>> {
        Self::get_key::<T>(self, __cacheable_0, __cacheable_1)
    }
    async fn close(&self, team: &str) -> Result<(), DbError> {
        let __cacheable_call = ::cacheable_runtime::__private::site!(
            Invalidation("close")
        )
            .begin(::cacheable_runtime::__private::global())
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("team:").value(&team);
            })
            .tag(|__cacheable_tag| {
                __cacheable_tag.literal("projects");
            });
        let __cacheable_body = async move {
            ::cacheable_runtime::__private::returns!(Result < (), DbError >);
            self.database.close(team).await
        };
        __cacheable_call
            .run(
                ::cacheable_runtime::__private::shape!(Result < (), DbError >),
                ::core::pin::pin!(__cacheable_body),
            )
            .await
    }
}
