//! A change of the file is a reload, however the file changes.

use std::os::unix::fs::symlink;

use upstream_mock::{Mock, Settings};

use crate::support::client::get;
use crate::support::eventually;
use crate::support::process::Process;
use crate::{FAILURES, File, gateway, metric};

fn answer(body: &str) -> String {
    format!(
        "[[routes]]\nname = \"page\"\npath = \"/page\"\nrespond = {{ status = 200, body = \"{body}\" }}\n"
    )
}

async fn says(gateway: &Process, body: &str) {
    eventually(body, || async {
        &get(gateway.proxy, "/page").await.body[..] == body.as_bytes()
    })
    .await;
}

#[tokio::test]
async fn a_file_written_again_is_read_again_unless_that_is_switched_off() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let file = File::new(&mock.url(), &answer("one"));
    let watching = gateway(&file, &[("GATEWAY__SERVER__WATCH_CONFIG", "true")]).await;
    let told = gateway(&file, &[]).await;
    says(&watching, "one").await;
    file.write(&answer("another"));
    says(&watching, "another").await;
    says(&told, "one").await;
    assert_eq!(watching.event("config_reloaded").await["cause"], "file");
    file.write("[[routes]]\n");
    eventually("a failure", || async {
        metric(&watching, FAILURES).await >= 1.0
    })
    .await;
    says(&watching, "another").await;
}

#[tokio::test]
async fn a_directory_behind_links_is_exchanged_as_kubernetes_does() {
    let mock = Mock::start(Settings::default()).await.unwrap();
    let file = File::new(&mock.url(), &answer("one"));
    let root = file.path.parent().unwrap().to_owned();
    for (version, body) in [("v1", "one"), ("v2", "two")] {
        std::fs::create_dir(root.join(version)).unwrap();
        file.write(&answer(body));
        std::fs::rename(&file.path, root.join(version).join("gateway.toml")).unwrap();
    }
    symlink("v1", root.join("..data")).unwrap();
    symlink("..data/gateway.toml", &file.path).unwrap();
    let gateway = gateway(&file, &[("GATEWAY__SERVER__WATCH_CONFIG", "true")]).await;
    says(&gateway, "one").await;
    symlink("v2", root.join("..data_tmp")).unwrap();
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    says(&gateway, "two").await;
}
