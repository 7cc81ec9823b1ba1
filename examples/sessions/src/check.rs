//! Visits the service as browsers do, and checks what it answers.

use std::error::Error;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A browser with one cookie at most.
#[derive(Clone, Default)]
struct Browser {
    cookie: String,
}

struct Page {
    status: StatusCode,
    json: Value,
    cookie: Option<String>,
}

impl Browser {
    async fn visit(
        &mut self,
        service: &Router,
        method: &str,
        path: &str,
        body: Value,
    ) -> Result<Page, Box<dyn Error>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?;
        let response = service.clone().oneshot(request).await?;
        let given = response.headers().get(SET_COOKIE);
        let cookie = given.and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.map(str::to_owned);
        if let Some(cookie) = &cookie {
            let pair = cookie.split(';').next().unwrap_or_default();
            pair.clone_into(&mut self.cookie);
        }
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 10_000).await?;
        Ok(Page {
            status,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
            cookie,
        })
    }
}

/// Says each fact, and ends with an error at the first that does not hold.
pub async fn all(service: &Router) -> Result<(), Box<dyn Error>> {
    let mut laptop = Browser::default();
    let refused = laptop.visit(service, "GET", "/me", json!(null)).await?;
    fact(
        "a stranger is sent away",
        refused.status == StatusCode::UNAUTHORIZED,
    )?;

    let page = laptop.visit(service, "GET", "/", json!(null)).await?;
    let cookie = page.cookie.unwrap_or_default();
    let flags = ["HttpOnly", "Secure", "SameSite=Lax"];
    fact(
        "a visitor gets a cookie that no script reads",
        flags.iter().all(|flag| cookie.contains(flag)),
    )?;
    let page = laptop.visit(service, "GET", "/", json!(null)).await?;
    fact(
        "the visit is counted",
        page.json["pages"] == 2 && page.cookie.is_none(),
    )?;

    let mut planted = laptop.clone();
    let wrong = json!({ "name": "ann", "password": "guess" });
    let page = laptop.visit(service, "POST", "/sign-in", wrong).await?;
    fact(
        "a wrong password is refused",
        page.status == StatusCode::FORBIDDEN,
    )?;
    let ann = json!({ "name": "ann", "password": "correct horse" });
    let page = laptop
        .visit(service, "POST", "/sign-in", ann.clone())
        .await?;
    fact("a sign-in keeps what was counted", page.json["pages"] == 2)?;
    fact("and gives another cookie", laptop.cookie != planted.cookie)?;
    let page = planted.visit(service, "GET", "/me", json!(null)).await?;
    fact(
        "the cookie from before shows nothing of the user",
        page.status == StatusCode::UNAUTHORIZED,
    )?;

    for elsewhere in ["cross-site", "same-site"] {
        let request = Request::post("/sign-out-elsewhere")
            .header(COOKIE, &laptop.cookie)
            .header("sec-fetch-site", elsewhere)
            .body(Body::empty())?;
        let response = service.clone().oneshot(request).await?;
        fact(
            "a page of another origin does nothing for her",
            response.status() == StatusCode::FORBIDDEN,
        )?;
    }
    let mut shared = laptop.clone();
    let ben = json!({ "name": "ben", "password": "correct horse" });
    let page = shared.visit(service, "POST", "/sign-in", ben).await?;
    fact(
        "who signs in after her sees nothing of hers",
        page.json["user"] == "ben" && page.json["pages"] == 0,
    )?;
    laptop
        .visit(service, "POST", "/sign-in", ann.clone())
        .await?;

    let mut phone = Browser::default();
    phone.visit(service, "POST", "/sign-in", ann).await?;
    let page = laptop.visit(service, "GET", "/me", json!(null)).await?;
    let places = page.json["places"].as_u64().unwrap_or_default();
    fact(
        "ann is signed in at two places or more",
        page.json["user"] == "ann" && places >= 2,
    )?;
    let path = "/sign-out-elsewhere";
    let page = laptop.visit(service, "POST", path, json!(null)).await?;
    fact(
        "she signs out everywhere else",
        page.json["ended"] == places - 1,
    )?;
    let page = phone.visit(service, "GET", "/me", json!(null)).await?;
    fact(
        "the phone is signed out at once",
        page.status == StatusCode::UNAUTHORIZED,
    )?;
    let page = laptop.visit(service, "GET", "/me", json!(null)).await?;
    fact("the laptop is not", page.json["places"] == 1)?;

    let mut copy = laptop.clone();
    laptop
        .visit(service, "POST", "/sign-out", json!(null))
        .await?;
    let page = copy.visit(service, "GET", "/me", json!(null)).await?;
    fact(
        "after signing out the cookie is worth nothing",
        page.status == StatusCode::UNAUTHORIZED,
    )?;
    println!("all of it holds");
    Ok(())
}

fn fact(what: &str, holds: bool) -> Result<(), String> {
    if !holds {
        return Err(format!("does not hold: {what}"));
    }
    println!("{what}");
    Ok(())
}
