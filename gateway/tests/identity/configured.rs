//! What is refused of a configuration, and what is never printed of one.

use gateway::config::{Source, load};

use crate::tokens::{RSA_PUBLIC, SECRET};

/// The problems of a file; `DIR` stands for where its files are.
fn problems(files: &[(&str, &str)], auth: &str) -> String {
    let dir = tempfile::TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let place = dir.path().join("gateway.toml");
    let text = format!(
        "[upstreams.default]\nendpoints = [\"http://127.0.0.1:1\"]\n{auth}\n{}",
        crate::route("\"x\"", "")
    );
    std::fs::write(&place, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    match load(&Source::new(Some(place), Vec::<(String, String)>::new())) {
        Ok(config) => config.effective().to_owned(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn what_could_not_be_used_is_found_before_anything_starts() {
    let hash = crate::sha256("key");
    let twice = format!(
        "[[keys]]\nid = \"a\"\nsha256 = \"{hash}\"\n[[keys]]\nid = \"b\"\nsha256 = \"{hash}\"\n"
    );
    let files = [
        ("short", "too short"),
        ("secret", SECRET),
        ("rsa", RSA_PUBLIC),
        ("plain", "alice:password\n"),
        ("bad-keys", "[[keys]]\nid = \"a\"\nsha256 = \"abc\"\n"),
        ("twice", &twice),
    ];
    for (auth, part) in [
        ("[auth.y]\naddresses = {}", "there is no auth `x`"),
        ("[auth.x]", "write one of `api_keys`, `jwt`"),
        (
            "[auth.x]\nbasic = { file = \"a\" }\naddresses = {}",
            "write one of `api_keys`, `jwt`",
        ),
        ("[auth.x]\napi_keys = {}", "no key is known"),
        (
            "[auth.x]\napi_keys = { store = true }",
            "there is no shared store",
        ),
        (
            "[auth.x]\napi_keys = { file = \"DIR/bad-keys\" }",
            "keys[0]: `sha256` is 64 hexadecimal digits",
        ),
        (
            "[auth.x]\napi_keys = { file = \"DIR/twice\" }",
            "`a` has the same key",
        ),
        (
            "[auth.x]\nbasic = { file = \"DIR/plain\" }",
            "line 1: only bcrypt hashes",
        ),
        (
            "[auth.x]\njwt = { secret_file = \"DIR/secret\" }",
            "jwt.algorithms: this is required",
        ),
        (
            "[auth.x]\njwt = { secret_file = \"DIR/short\", algorithms = [\"HS256\"] }",
            "fewer than 32 bytes",
        ),
        (
            "[auth.x]\njwt = { secret_file = \"DIR/secret\", algorithms = [\"RS256\"] }",
            "RS256 needs a public key",
        ),
        (
            "[auth.x]\njwt = { public_key_file = \"DIR/rsa\", algorithms = [\"HS256\"] }",
            "HS256 needs a shared secret",
        ),
        (
            "[auth.x]\njwt = { public_key_file = \"DIR/rsa\", algorithms = [\"RS256\", \"ES256\"] }",
            "one kind of algorithm",
        ),
        (
            "[auth.x]\njwt = { public_key_file = \"DIR/rsa\", algorithms = [\"ES256\"] }",
            "no public key in PEM for ES256",
        ),
        (
            "[auth.x]\njwt = { algorithms = [\"RS256\"] }",
            "write one of `secret_file`",
        ),
        (
            "[auth.x]\njwt = { jwks_url = \"ftp://x\", algorithms = [\"RS256\"] }",
            "is not where keys are",
        ),
        (
            "[auth.x]\njwt = { jwks_url = \"https://x/k\", refresh = \"1s\", algorithms = [\"RS256\"] }",
            "too often",
        ),
        (
            "[auth.x]\njwt = { jwks_url = \"https://x/k\", algorithms = [\"none\"] }",
            "`none` is no signature",
        ),
        (
            "[auth.x]\nsubject_header = \"host\"\naddresses = {}",
            "`host` means something else",
        ),
        (
            "[auth.x]\nexternal = { upstream = \"defualt\" }",
            "there is no upstream `defualt`: did you mean `default`?",
        ),
        (
            "[auth.x]\nexternal = { upstream = \"default\", path = \"x\" }",
            "`x` is not a path",
        ),
    ] {
        let found = problems(&files, auth);
        assert!(
            found.contains(part),
            "{auth}\nexpected: {part}\nfound: {found}"
        );
        assert!(
            !found.contains(SECRET) && !found.contains("password"),
            "{found}"
        );
    }
}

#[test]
fn the_effective_configuration_names_files_and_no_secret() {
    let shown = problems(
        &[("secret", SECRET)],
        "[auth.x]\njwt = { secret_file = \"DIR/secret\", algorithms = [\"HS256\"] }",
    );
    assert!(
        shown.contains("subject_header = \"x-authenticated-subject\""),
        "{shown}"
    );
    assert!(
        shown.contains("leeway = \"30s\"") && !shown.contains("api_keys"),
        "{shown}"
    );
    assert!(!shown.contains(SECRET), "{shown}");
}
