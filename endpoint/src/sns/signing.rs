//! Signatures of envelopes: what needs one, and where the key is.
//!
//! A signature takes some milliseconds of the processor, which the one writer of the store does not have. So a unit of work that
//! lacks signatures fails with what they are for ([`SnsError::Unsigned`]), they are made elsewhere, and the unit runs again.
//! Whoever needs none pays nothing, and makes no key.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use crate::{
    admin,
    clock::Millis,
    store::{Store, StoreError, Unit},
};

use super::{
    Sns,
    error::SnsError,
    signing_key::{KeyError, SigningKey, certificate_name},
};

/// How a topic has its messages signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Version {
    /// With SHA-1.
    One,
    /// With SHA-256.
    Two,
}

impl Version {
    /// The version of an attribute's value, which is one where nothing was said.
    pub(super) fn of(attribute: Option<&str>) -> Version {
        if attribute == Some("2") { Version::Two } else { Version::One }
    }

    fn name(self) -> &'static str {
        match self {
            Version::One => "1",
            Version::Two => "2",
        }
    }
}

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ToSign {
    version: Version,
    text: String,
}

impl ToSign {
    /// The canonical form of some fields of an envelope: each name and each value on lines of their own, in this order.
    pub(super) fn new(version: Version, fields: &[(&str, &str)]) -> ToSign {
        ToSign { version, text: fields.iter().flat_map(|(name, value)| [name, "\n", value, "\n"]).collect() }
    }
}

/// The signatures that a unit of work may need.
#[derive(Default, Clone)]
pub(super) struct Signatures {
    made: HashMap<ToSign, String>,
    /// The name of the certificate to check them with.
    certificate: String,
}

impl Signatures {
    /// These and those of `missing`.
    fn with(mut these: Arc<Self>, key: &SigningKey, missing: Vec<ToSign>) -> Result<Arc<Self>, KeyError> {
        let signatures = Arc::make_mut(&mut these);
        signatures.certificate = key.certificate_name();
        for wanted in missing {
            let signature = key.sign(wanted.version, &wanted.text)?;
            signatures.made.insert(wanted, signature);
        }
        Ok(these)
    }

    /// Fails with what of `wanted` has no signature yet.
    pub(super) fn check(&self, wanted: impl Iterator<Item = ToSign>) -> Result<(), SnsError> {
        let missing: Vec<ToSign> = wanted.filter(|wanted| !self.made.contains_key(wanted)).collect();
        if missing.is_empty() { Ok(()) } else { Err(SnsError::Unsigned(missing)) }
    }

    /// Adds the fields of a signature to an envelope.
    pub(super) fn add_to(
        &self,
        envelope: &mut Map<String, Value>,
        wanted: ToSign,
        authority: &str,
    ) -> Result<(), SnsError> {
        let Some(signature) = self.made.get(&wanted) else { return Err(SnsError::Unsigned(vec![wanted])) };
        let url = format!("http://{authority}{}{}", admin::PREFIX, self.certificate);
        envelope.insert("SignatureVersion".into(), wanted.version.name().into());
        envelope.insert("Signature".into(), signature.as_str().into());
        envelope.insert("SigningCertURL".into(), url.into());
        Ok(())
    }
}

/// The key of this endpoint, once somebody needed it.
#[derive(Default)]
pub(super) struct Signer {
    key: OnceCell<Arc<SigningKey>>,
}

impl Signer {
    /// The key, which is made if there is none.
    async fn key(&self, store: &Store, now: Millis) -> Result<Arc<SigningKey>, SnsError> {
        let key = self.key.get_or_try_init(|| async {
            if let Some((private, certificate)) = store.read(kept).await? {
                return Ok::<_, SnsError>(Arc::new(SigningKey::from_pkcs8(&private, certificate)?));
            }
            let made = off_the_loop(move || SigningKey::generate(now)).await??;
            let (private, certificate) = (made.to_pkcs8()?, made.certificate().to_owned());
            let keep = move |unit: &mut Unit<'_>| {
                let sql = "INSERT INTO signing_key (id, private_key, certificate) VALUES (1, ?1, ?2)";
                unit.connection().execute(sql, params![private, certificate])?;
                Ok::<_, SnsError>(())
            };
            store.write(keep).await?;
            Ok(Arc::new(made))
        });
        key.await.cloned()
    }
}

impl Sns {
    /// Runs a unit of work that may need signatures: again, once those that it lacked were made.
    pub(super) async fn write_signed<T, F>(&self, work: F) -> Result<T, SnsError>
    where
        T: Send + 'static,
        F: Fn(&mut Unit<'_>, &Signatures) -> Result<T, SnsError> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        let mut signatures = Arc::new(Signatures::default());
        loop {
            let (attempt, known) = (Arc::clone(&work), Arc::clone(&signatures));
            match self.store.write(move |unit| attempt(unit, &known)).await {
                Err(SnsError::Unsigned(missing)) => {
                    let key = self.signer.key(&self.store, self.clock.now()).await?;
                    let more = Arc::clone(&signatures);
                    signatures = off_the_loop(move || Signatures::with(more, &key, missing)).await??;
                }
                done => return done,
            }
        }
    }

    /// The certificate of a name, in PEM, where it is the one of this endpoint.
    pub(crate) async fn certificate(&self, name: &str) -> Result<Option<String>, SnsError> {
        let certificate = self.store.read(kept).await?.map(|(_, certificate)| certificate);
        Ok(certificate.filter(|certificate| certificate_name(certificate) == name))
    }
}

/// The private key and the certificate.
fn kept(connection: &Connection) -> Result<Option<(Vec<u8>, String)>, SnsError> {
    let sql = "SELECT private_key, certificate FROM signing_key";
    Ok(connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Runs what takes the processor for longer than connections should wait.
async fn off_the_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)
}
