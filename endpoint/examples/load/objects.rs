//! Objects.

use std::{io::Write, time::Instant};

use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};
use bytes::Bytes;

use crate::{Failure, Setting, repeat};

const BUCKET: &str = "load";
const SMALL: usize = 4096;
const KEYS: u64 = 1000;
const MEBIBYTE: u64 = 1024 * 1024;

async fn bucket(setting: &Setting) -> Result<Client, Failure> {
    let client = Client::from_conf(Builder::from(&setting.sdk).force_path_style(true).build());
    client.create_bucket().bucket(BUCKET).send().await?;
    Ok(client)
}

/// Puts objects of 4 KiB.
pub(crate) async fn put(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let client = bucket(setting).await?;
    let body = Bytes::from(vec![7; SMALL]);
    repeat(setting, 1, move |number| {
        let (client, body) = (client.clone(), body.clone());
        async move {
            client.put_object().bucket(BUCKET).key(format!("small/{}", number % KEYS)).body(body.into()).send().await?;
            Ok(())
        }
    })
    .await
}

/// Gets objects that were put.
pub(crate) async fn get(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let client = bucket(setting).await?;
    repeat(setting, 1, move |number| {
        let client = client.clone();
        async move {
            let got = client.get_object().bucket(BUCKET).key(format!("small/{}", number % KEYS)).send().await?;
            let read = got.body.collect().await?.into_bytes();
            if read.len() == SMALL { Ok(()) } else { Err("an object is not whole".into()) }
        }
    })
    .await
}

/// Puts one object of an amount of mebibytes, out of a file.
pub(crate) async fn large_put(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let client = bucket(setting).await?;
    let mut file = tempfile::NamedTempFile::new()?;
    let chunk = vec![7; usize::try_from(MEBIBYTE)?];
    for _ in 0..setting.amount {
        file.write_all(&chunk)?;
    }
    let body = ByteStream::from_path(file.path()).await?;
    let begun = Instant::now();
    client.put_object().bucket(BUCKET).key("large").body(body).send().await?;
    Ok(speed(setting.amount, begun))
}

/// Gets it.
pub(crate) async fn large_get(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let client = bucket(setting).await?;
    let begun = Instant::now();
    let mut body = client.get_object().bucket(BUCKET).key("large").send().await?.body;
    let mut size = 0;
    while let Some(chunk) = body.try_next().await? {
        size += chunk.len() as u64;
    }
    if size == setting.amount * MEBIBYTE { Ok(speed(setting.amount, begun)) } else { Err("it is not whole".into()) }
}

#[expect(clippy::cast_precision_loss, reason = "an amount of mebibytes is small")]
fn speed(mebibytes: u64, begun: Instant) -> serde_json::Value {
    serde_json::json!({"mib_per_s": mebibytes as f64 / begun.elapsed().as_secs_f64()})
}
