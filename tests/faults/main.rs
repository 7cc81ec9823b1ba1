//! What a service notices when its server or its network fails.

mod proxy;
