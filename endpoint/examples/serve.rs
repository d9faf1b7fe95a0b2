//! An endpoint in a program of one's own: `serve DIRECTORY PORT`, until it is killed. The benchmark starts it.

use decouple_endpoint::{Config, Credentials, Endpoint};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve DIRECTORY PORT".into());
    };
    let endpoint = Endpoint::open(Config {
        data_dir: directory.into(),
        region: "us-east-1".into(),
        account: Config::DEFAULT_ACCOUNT.into(),
        credentials: Credentials { access_key_id: "test".into(), secret_access_key: "test".into() },
    })
    .await?;
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    endpoint.serve(listener, CancellationToken::new()).await?;
    Ok(())
}
