//! The gallery as a person uses it, in a headless browser: upload, wait for thumbnail and tags, search, delete.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, key::Key};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{PATIENCE, TestEnv, photo, until};

/// A browser and its driver, ended with the test.
struct Browser {
    driver: Child,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed: scripts/setup browser");
        let profile = tempfile::tempdir().expect("a temporary directory");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
            "--window-size=1200,900",
        ];
        let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let client = until("the browser to start", || async {
            let url = format!("http://127.0.0.1:{port}");
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                .capabilities(capabilities.clone())
                .connect(&url)
                .await
                .ok()
        })
        .await;
        Self { driver, client, _profile: profile }
    }

    async fn find(&self, selector: &str) -> fantoccini::elements::Element {
        let found = self.client.wait().at_most(PATIENCE).every(Duration::from_millis(50));
        found.for_element(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.expect("the page can be searched").len()
    }

    async fn gone(&self, selector: &str) {
        until(&format!("{selector} to go"), || async { (self.count(selector).await == 0).then_some(()) }).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser does not end with its driver, but with the group of processes that both are in.
        drop(Command::new("kill").args(["-9", "--", &format!("-{}", self.driver.id())]).status());
        drop(self.driver.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_uploaded_found_and_deleted() {
    let env = TestEnv::new();
    let site = env.up(&["--stage", "sns-sqs"]).await;
    let browser = Browser::start().await;
    browser.client.goto(&site.url).await.expect("the page opens");

    browser.find("#upload").await.send_keys(&photo("cat.png").display().to_string()).await.expect("a file is chosen");
    browser.find("li.photo[data-state=done] img.thumb").await;
    until("the thumbnail to be shown", || async {
        let width = browser.client.execute("return document.querySelector('img.thumb').naturalWidth", Vec::new()).await;
        width.ok()?.as_u64().filter(|width| *width > 0)
    })
    .await;
    let tag = browser.find("li.photo .tag").await;
    assert!(tag.text().await.expect("a tag has text").contains("cat"));

    let search = browser.find("#search").await;
    search.send_keys("espresso").await.expect("the search takes text");
    browser.gone("li.photo").await;
    let all_text = String::from(char::from(Key::Control)) + "a" + &char::from(Key::Null).to_string();
    search.send_keys(&all_text).await.expect("the text is selected");
    search.send_keys("anim").await.expect("the search takes text");
    browser.find("li.photo img.thumb").await;

    browser.find("li.photo button.open").await.click().await.expect("the viewer opens");
    browser.find("dialog#viewer[open] a[data-role=original]").await;
    browser.find("dialog#viewer button[data-action=delete]").await.click().await.expect("the first step");
    browser.find("dialog#viewer button[data-action=confirm-delete]").await.click().await.expect("the second step");
    browser.gone("li.photo").await;
    assert!(site.search("cat").await.is_empty());
    browser.client.clone().close().await.expect("the browser closes");
}
