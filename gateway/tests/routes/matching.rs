//! Which route takes a request: each route here answers its own name.

use std::fmt::Write as _;

use http::Method;

use crate::support::client::{Client, request, send};
use crate::support::gateway::Gateway;
use crate::{gateway, get};

/// Routes that answer their names: each with what it asks for.
fn routes(asked: &[(&str, &str)]) -> Gateway {
    let mut text = String::new();
    for (name, asks) in asked {
        let _ = writeln!(
            text,
            "[[routes]]\nname = \"{name}\"\n{asks}\nrespond = {{ status = 200, body = \"{{route}}\" }}"
        );
    }
    gateway("http://127.0.0.1:9", &text)
}

async fn taken(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = get(gateway, path, headers).await;
    match answer.status {
        200 => String::from_utf8(answer.body.to_vec()).unwrap(),
        status => status.to_string(),
    }
}

#[tokio::test]
async fn the_most_specific_host_comes_before_the_path() {
    let gateway = routes(&[
        ("any", "path = \"/a/b\""),
        ("below", "hosts = [\"*.example.com\"]\npath = \"/{*rest}\""),
        (
            "deeper",
            "hosts = [\"*.eu.example.com\"]\npath = \"/a/{*rest}\"",
        ),
        (
            "exact",
            "hosts = [\"api.example.com\", \"www.example.com\"]\npath = \"/a/{*rest}\"",
        ),
    ]);
    for (host, path, name) in [
        ("api.example.com", "/a/b", "exact"),
        ("API.Example.com:8080", "/a/b", "exact"),
        ("www.example.com.", "/a/x", "exact"),
        // A host that has no such path is no reason for 404 while another takes it.
        ("api.example.com", "/x", "below"),
        ("x.eu.example.com", "/a/b", "deeper"),
        ("x.eu.example.com", "/b", "below"),
        ("a.b.example.com", "/a/b", "below"),
        ("example.com", "/a/b", "any"),
        ("example.com", "/a", "404"),
        ("notexample.com", "/a/b", "any"),
        ("127.0.0.1", "/a/b", "any"),
    ] {
        let found = taken(&gateway, path, &[("host", host)]).await;
        assert_eq!(found, name, "{host}{path}");
    }
}

#[tokio::test]
async fn of_paths_the_more_specific_one_is_taken() {
    let gateway = routes(&[
        ("rest", "path = \"/{*rest}\""),
        ("files", "path = \"/files/{*rest}\""),
        ("file", "path = \"/files/{name}\""),
        ("png", "path = \"/files/{name}.png\""),
        ("index", "path = \"/files/index.png\""),
        ("meta", "path = \"/files/{name}/meta\""),
        ("deep", "path = \"/files/a/b\""),
    ]);
    for (path, name) in [
        ("/files/index.png", "index"),
        ("/files/x.png", "png"),
        ("/files/.png", "file"),
        ("/files/x", "file"),
        ("/files/", "files"),
        ("/files", "rest"),
        ("/files/x/y", "files"),
        ("/files/x/meta", "meta"),
        ("/files/a/b", "deep"),
        // The text of one pattern does not hide the parameter of another.
        ("/files/a/meta", "meta"),
        ("/files/a/c", "files"),
        ("/", "rest"),
    ] {
        assert_eq!(taken(&gateway, path, &[]).await, name, "{path}");
    }
}

#[tokio::test]
async fn headers_choose_among_routes_and_fall_through() {
    let gateway = routes(&[
        ("plain", "path = \"/api/{*rest}\""),
        (
            "v2",
            "path = \"/api/{*rest}\"\nheaders = { X-Version = \"2\" }",
        ),
        (
            "v2-beta",
            "path = \"/api/{*rest}\"\nheaders = { x-version = \"2\", x-beta = \"*\" }",
        ),
        (
            "bots",
            "path = \"/api/{*rest}\"\nheaders = { user-agent = \"Bot/*\" }",
        ),
        (
            "users",
            "path = \"/api/users\"\nheaders = { x-version = \"3\" }",
        ),
    ]);
    for (path, headers, name) in [
        ("/api/x", vec![], "plain"),
        ("/api/x", vec![("x-version", "2")], "v2"),
        ("/api/x", vec![("x-version", "22")], "plain"),
        ("/api/x", vec![("x-version", "1"), ("x-version", "2")], "v2"),
        (
            "/api/x",
            vec![("x-version", "2"), ("x-beta", "")],
            "v2-beta",
        ),
        ("/api/x", vec![("user-agent", "Bot/7")], "bots"),
        ("/api/x", vec![("user-agent", "Robot/7")], "plain"),
        ("/api/users", vec![("x-version", "3")], "users"),
        ("/api/users", vec![("x-version", "2")], "v2"),
        ("/api/users", vec![], "plain"),
    ] {
        assert_eq!(
            taken(&gateway, path, &headers).await,
            name,
            "{path} {headers:?}"
        );
    }
}

#[tokio::test]
async fn a_method_no_route_has_is_told_from_a_path_none_has() {
    let gateway = routes(&[
        (
            "read",
            "path = \"/users/{id}\"\nmethods = [\"GET\", \"HEAD\"]",
        ),
        ("write", "path = \"/users/{uid}\"\nmethods = [\"PUT\"]"),
        (
            "me",
            "path = \"/users/me\"\nmethods = [\"DELETE\", \"GET\"]",
        ),
    ]);
    let method = async |method: Method, path: &str| {
        let answer = send(gateway.proxy(), request(method, path, &[])).await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        (answer.status, allow, answer.body)
    };
    assert_eq!(method(Method::PUT, "/users/me").await.2, "write");
    assert_eq!(method(Method::GET, "/users/me").await.2, "me");
    let (status, allow, _) = method(Method::PATCH, "/users/me").await;
    assert_eq!((status, &*allow), (405, "DELETE, GET, HEAD, PUT"));
    let (status, allow, _) = method(Method::POST, "/users/7").await;
    assert_eq!((status, &*allow), (405, "GET, HEAD, PUT"));
    assert_eq!(method(Method::POST, "/nothing").await.0, 404);
}

#[tokio::test]
async fn ten_thousand_routes_are_told_apart() {
    let mut text = String::new();
    for number in 0..9_990 {
        let asks = match number % 3 {
            0 => format!("hosts = [\"h{number}.example\"]\npath = \"/{{*rest}}\""),
            1 => format!("path = \"/p{number}/{{id}}/x\""),
            _ => format!("path = \"/shared/x\"\nheaders = {{ x-tenant = \"{number}\" }}"),
        };
        let _ = writeln!(
            text,
            "[[routes]]\nname = \"r{number}\"\n{asks}\nrespond = {{ status = 200, body = \"{{route}}\" }}"
        );
    }
    let gateway = gateway("http://127.0.0.1:9", &text);
    let mut client = Client::connect(gateway.proxy()).await;
    for number in (0..9_990).step_by(37) {
        let (host, path) = match number % 3 {
            0 => (format!("h{number}.example"), "/a/b/c".to_owned()),
            1 => ("other".to_owned(), format!("/p{number}/7/x")),
            _ => ("other".to_owned(), "/shared/x".to_owned()),
        };
        let tenant = number.to_string();
        let headers = [("host", &*host), ("x-tenant", &*tenant)];
        let response = client.send(request(Method::GET, &path, &headers)).await;
        let answer = crate::support::client::Answer::read(response).await;
        assert_eq!(answer.body, format!("r{number}"));
    }
}
