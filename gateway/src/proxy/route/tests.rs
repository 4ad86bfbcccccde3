//! The table as a whole.

use super::*;

fn settings(name: &str, path: &str, rewrite: Option<&str>, methods: &[Method]) -> RouteSettings {
    RouteSettings {
        name: name.into(),
        path: path.to_owned(),
        rewrite: rewrite.map(str::to_owned),
        methods: methods.to_vec(),
        ..RouteSettings::default()
    }
}

fn table(routes: Vec<RouteSettings>) -> RouteTable {
    let metrics = crate::telemetry::metrics::Metrics::new();
    let routes = routes.into_iter().map(|one| {
        let record = RouteMetrics::new(&metrics, &one.name);
        Route::new(one, Target::Forward { upstream: 0 }, Limits::none(), record).unwrap()
    });
    RouteTable::new(routes.collect())
}

fn follow(table: &RouteTable, method: &Method, uri: &str) -> (String, String) {
    let request = http::Request::builder().method(method).uri(uri);
    let (head, ()) = request.body(()).unwrap().into_parts();
    match table.find(&head) {
        Found::Route(taken) => (
            taken.route.settings.name.to_string(),
            taken.path.map_or(String::new(), |path| path.to_string()),
        ),
        Found::MethodNotAllowed(allow) => ("405".into(), allow.to_str().unwrap().into()),
        Found::None => ("404".into(), String::new()),
    }
}

#[test]
fn a_prefix_is_stripped_and_the_query_kept() {
    let table = table(vec![settings(
        "proxy",
        "/proxy/{*path}",
        Some("/{path}"),
        &[],
    )]);
    for (uri, to) in [
        ("/proxy/a/b?x=1&y=%2F", "/a/b?x=1&y=%2F"),
        ("/proxy/", "/"),
        ("/proxy/?q", "/?q"),
        ("/proxy/%2e%2e/x", "/%2e%2e/x"),
        ("/proxy//double", "//double"),
    ] {
        assert_eq!(
            follow(&table, &Method::GET, uri),
            ("proxy".into(), to.into()),
            "{uri}"
        );
    }
    assert_eq!(follow(&table, &Method::GET, "/other").0, "404");
    assert_eq!(follow(&table, &Method::GET, "/proxy").0, "404");
}

#[test]
fn methods_share_a_path() {
    let table = table(vec![
        settings(
            "read",
            "/users/{id}",
            Some("/v1/users/{id}/full"),
            &[Method::GET, Method::HEAD],
        ),
        settings("write", "/users/{id}", None, &[Method::PUT]),
    ]);
    let read = ("read".to_owned(), "/v1/users/7/full?a".to_owned());
    assert_eq!(follow(&table, &Method::GET, "/users/7?a"), read);
    assert_eq!(
        follow(&table, &Method::PUT, "/users/7"),
        ("write".into(), String::new())
    );
    assert_eq!(
        follow(&table, &Method::DELETE, "/users/7"),
        ("405".into(), "GET, HEAD, PUT".into())
    );
}
