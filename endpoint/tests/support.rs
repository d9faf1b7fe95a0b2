//! An endpoint on a port of its own, and clients for it.

use std::{net::SocketAddr, path::Path, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials as SdkCredentials, SharedCredentialsProvider};
use decouple_endpoint::{Config, Credentials, Endpoint};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const ACCESS_KEY: &str = "AKIDTEST";
pub(crate) const SECRET_KEY: &str = "test-secret-access-key";
pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const REGION: &str = "us-east-1";

/// How long anything may take before a test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

pub(crate) fn config(directory: &Path) -> Config {
    Config {
        data_dir: directory.to_owned(),
        region: REGION.into(),
        account: ACCOUNT.into(),
        credentials: Credentials { access_key_id: ACCESS_KEY.into(), secret_access_key: SECRET_KEY.into() },
    }
}

impl Running {
    pub(crate) async fn start(directory: &Path) -> Running {
        Running::serve(Endpoint::open(config(directory)).await.unwrap()).await
    }

    pub(crate) async fn serve(endpoint: Endpoint) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let shutdown = stop.clone();
        let serving = tokio::spawn(async move { endpoint.serve(listener, shutdown).await.unwrap() });
        Running { address, serving, stop }
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.serving).await.unwrap().unwrap();
    }

    /// Ends in the middle of whatever it does.
    pub(crate) async fn drop_it(self) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn sdk(&self) -> SdkConfig {
        sdk_for(&self.url()).await
    }

    pub(crate) async fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk().await)
    }

    pub(crate) async fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.sdk().await)
    }

    pub(crate) async fn s3(&self) -> aws_sdk_s3::Client {
        s3_for(&self.sdk().await)
    }
}

/// What an SDK needs for the endpoint at a URL.
pub(crate) async fn sdk_for(url: &str) -> SdkConfig {
    let credentials = SdkCredentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

pub(crate) fn s3_for(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(sdk).force_path_style(true).build())
}

/// A directory that goes with the test, and an endpoint on it.
pub(crate) async fn fresh() -> (TempDir, Running) {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path()).await;
    (directory, running)
}
