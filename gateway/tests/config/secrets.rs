//! What is never printed.

use crate::example::EXAMPLE;
use crate::{UPSTREAM, load_text, load_variables, problems, source};

#[test]
fn a_secret_file_is_read_without_its_line_break() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "redis://:hunter2@10.0.0.9\r\n").unwrap();
    let path = secret.path().to_str().unwrap();
    // In the environment it takes the place of what a file says.
    let config = load_text(".toml", EXAMPLE, &[("GATEWAY__STORE__URL_FILE", path)]).unwrap();
    assert_eq!(
        config.store.url.as_ref().unwrap().secret(),
        "redis://:hunter2@10.0.0.9"
    );
    assert!(
        config
            .effective()
            .contains(&format!("url_file = \"{path}\"")),
        "{}",
        config.effective()
    );

    std::fs::write(secret.path(), "http://:hunter2@10.0.0.9").unwrap();
    let found = problems(load_variables(&[
        ("GATEWAY__STORE__URL_FILE", path),
        UPSTREAM,
    ]));
    assert!(
        found[0].contains(path) && !found[0].contains("hunter2"),
        "{found:?}"
    );
    std::fs::write(secret.path(), "\n").unwrap();
    let found = problems(load_variables(&[
        ("GATEWAY__STORE__URL_FILE", path),
        UPSTREAM,
    ]));
    assert!(found[0].ends_with("is empty"), "{found:?}");
}

#[test]
fn a_secret_is_never_printed() {
    let good = [
        ("REDIS_URL", "rediss://app:hunter2@10.0.0.9:6380/1"),
        UPSTREAM,
    ];
    let config = load_variables(&good).unwrap();
    assert!(
        config
            .effective()
            .contains("rediss://app:***@10.0.0.9:6380/1"),
        "{}",
        config.effective()
    );
    let printed = format!("{config:?}{}{:?}", config.effective(), source(None, &good));
    assert!(!printed.contains("hunter2"), "{printed}");

    for bad in [
        ("REDIS_URL", "http://app:hunter2@10.0.0.9"),
        ("UPSTREAM_URL", "http://app:hunter2@10.0.0.9"),
        ("UPSTREAM_URL", "app:hunter2@10.0.0.9"),
        ("GATEWAY__STORE", "redis://app:hunter2@10.0.0.9"),
        ("GATEWAY__STORE__TIMEOUT", "redis://app:hunter2@10.0.0.9"),
        ("GATEWAY__SERVER__LISTEN", "redis://app:hunter2@10.0.0.9"),
    ] {
        let error = load_variables(&[UPSTREAM, bad]).unwrap_err();
        assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
    }
}
