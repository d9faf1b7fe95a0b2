//! Uploads by the form of a web page: signed by a policy, which says what the form may hold. The file streams as any other.

use std::{collections::BTreeMap, ops::RangeInclusive};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyDataStream;
use multer::{Field, Multipart};
use s3s::{
    Body,
    dto::{StreamingBlob, Tagging, Timestamp, TimestampFormat},
};
use sha1::Sha1;

use crate::{Credentials, auth};

use super::{
    Buckets,
    checksums::Algorithm,
    conditions::WriteConditions,
    content::{self, Expected, SMALL},
    error::Failure,
    events::{Change, trace_header},
    facts::{Facts, OBJECT_TAGS, Tags, body_tags, timestamp},
    form_policy::FormPolicy,
    front::element,
    grants::Asked,
    host::bucket_alone,
    settings::from_xml,
    signature::mismatch,
    write::Incoming,
};

/// The most bytes of fields before the file.
const MAX_FIELDS: usize = 20 * 1024;
const MAX_KEY: usize = 1024;
const FILE: &str = "file";
const FILE_NAME: &str = "${filename}";
const METADATA: &str = "x-amz-meta-";
/// What is wrong with another way to send a form.
pub(super) const ENCLOSURE: &str = "Bucket POST must be of the enclosure-type multipart/form-data";
/// Who has one of these has signed, or meant to.
const SIGNED: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];

/// A form, read up to its file.
struct Form {
    /// By name, in small letters.
    fields: BTreeMap<String, String>,
    file: Field<'static>,
}

/// Whether a request is a form.
pub(super) fn is_form(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    request.method() == http::Method::POST
        && content_type.is_some_and(|value| value.to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// Whether a request is sent to a bucket as a form is, and says that it is something else.
pub(super) fn is_other_post(request: &Request<Body>) -> bool {
    request.method() == http::Method::POST
        && request.uri().query().is_none()
        && request.headers().contains_key(header::CONTENT_TYPE)
        && bucket_alone(request).is_some()
}

impl Buckets {
    /// Stores the file of a form.
    pub(super) async fn post_form(
        &self,
        request: Request<Body>,
        bucket: String,
        credentials: &Credentials,
    ) -> Result<Response<Body>, Failure> {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (host, content_type) = (text(header::HOST).to_owned(), text(header::CONTENT_TYPE).to_owned());
        let trace_header = trace_header(request.headers());
        let form = Form::read(request.into_body(), &content_type).await?;
        form.check_signature(credentials)?;
        let range = form.check_policy(&bucket, &timestamp(self.clock.now()))?;
        self.bucket(bucket.clone()).await?;
        let key = form.key()?;
        let answer = Answer::new(&form, &host, &bucket, &key);
        if form.get("x-amz-server-side-encryption-customer-key").is_some() {
            return Err(Failure::NotImplemented("encryption with a customer's key in a form"));
        }
        let asked = Asked { canned: form.get("acl").map(str::to_owned), ..Asked::default() };
        let acl = self.list_asked_for(bucket.clone(), asked).await?;
        let expected = Expected {
            content_md5: form.get("content-md5").map(str::to_owned),
            checksums: Algorithm::ALL.map(|algorithm| (algorithm, form.get(&algorithm.header()).map(str::to_owned))),
            algorithm: form.get("x-amz-checksum-algorithm").map(str::to_owned),
            size: range,
            ..Expected::nothing()
        };
        let incoming = Incoming {
            facts: Facts { acl, ..form.facts().checked()? },
            tags: form.tags()?,
            conditions: WriteConditions::default(),
            bucket,
            key,
            change: Change::Post,
            trace_header,
        };
        let body = Some(StreamingBlob::wrap(form.file));
        let blobs = self.store.blobs();
        let received = content::receive(blobs, body, &expected, Algorithm::Crc64Nvme, None, SMALL).await?;
        let etag = format!("\"{}\"", received.etag());
        let version = self.save(incoming, received).await?.version;
        Ok(answer.write(&etag, version.as_deref()))
    }
}

impl Form {
    async fn read(body: Body, content_type: &str) -> Result<Form, Failure> {
        let malformed = |_: multer::Error| {
            Failure::MalformedPost("The body of your POST request is not well-formed multipart/form-data.")
        };
        let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
        let mut form = Multipart::new(BodyDataStream::new(body), boundary);
        let (mut fields, mut size) = (BTreeMap::new(), 0);
        while let Some(mut field) = form.next_field().await.map_err(malformed)? {
            let name = field.name().unwrap_or_default().to_ascii_lowercase();
            if name == FILE {
                return Ok(Form { fields, file: field });
            }
            let mut value = Vec::new();
            while let Some(chunk) = field.chunk().await.map_err(malformed)? {
                size += chunk.len();
                if size > MAX_FIELDS {
                    return Err(Failure::FieldsTooLarge);
                }
                value.extend_from_slice(&chunk);
            }
            fields.insert(name, String::from_utf8_lossy(&value).into_owned());
        }
        Err(Failure::argument(FILE, "0", "POST requires exactly one file upload per request."))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(&name.to_ascii_lowercase()).ok_or_else(|| {
            let reason = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            );
            Failure::special("InvalidArgument", reason).with_detail("ArgumentName", name).with_detail("ArgumentValue", "")
        })
    }

    /// Checks that whoever has the key signed the policy.
    fn check_signature(&self, credentials: &Credentials) -> Result<(), Failure> {
        // Without a policy anybody could have sent it.
        let policy = self.get("policy").ok_or_else(|| Failure::AccessDenied("Access Denied".into()))?;
        if self.get("signature").is_some() || self.get("awsaccesskeyid").is_some() {
            return self.check_old_signature(policy, credentials);
        }
        if SIGNED.iter().all(|name| self.get(name).is_none()) {
            return Err(Failure::AccessDenied("Access Denied".into()));
        }
        let algorithm = self.required("X-Amz-Algorithm")?;
        if algorithm != "AWS4-HMAC-SHA256" {
            let reason = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
            return Err(Failure::argument("X-Amz-Algorithm", algorithm, reason));
        }
        let credential = self.required("X-Amz-Credential")?;
        self.required("X-Amz-Date")?;
        let signature = self.required("X-Amz-Signature")?;
        let (access_key, scope) = credential.split_once('/').unwrap_or((credential, ""));
        check_access_key(access_key, credentials)?;
        let expected = auth::sign(&credentials.secret_access_key, scope, policy.as_bytes());
        let same = auth::equal(expected.as_bytes(), signature.as_bytes());
        if same { Ok(()) } else { Err(mismatch(access_key, policy, signature)) }
    }

    /// The second version of signatures, which boto3 still gives to forms.
    fn check_old_signature(&self, policy: &str, credentials: &Credentials) -> Result<(), Failure> {
        let (access_key, given) = (self.required("AWSAccessKeyId")?, self.required("Signature")?);
        check_access_key(access_key, credentials)?;
        let signature = BASE64_STANDARD.decode(given).unwrap_or_default();
        let mac = Hmac::<Sha1>::new_from_slice(credentials.secret_access_key.as_bytes()).ok();
        let same = mac.is_some_and(|mac| mac.chain_update(policy).verify_slice(&signature).is_ok());
        if same { Ok(()) } else { Err(mismatch(access_key, policy, given)) }
    }

    /// Checks the form against its policy. Answers with the sizes that it allows.
    fn check_policy(&self, bucket: &str, now: &Timestamp) -> Result<RangeInclusive<u64>, Failure> {
        FormPolicy::decode(self.get("policy").unwrap_or_default())?.check(bucket, &self.fields, now)
    }

    fn key(&self) -> Result<String, Failure> {
        // Some browsers send the whole path.
        let name = self.file.file_name().and_then(|name| name.rsplit(['/', '\\']).next());
        let key = self.required("key")?.replace(FILE_NAME, name.unwrap_or(FILE_NAME));
        match key.len() {
            0 => Err(Failure::argument("key", "", "User key must have a length greater than 0.")),
            size if size > MAX_KEY => Err(Failure::KeyTooLong(size)),
            _ => Ok(key),
        }
    }

    fn facts(&self) -> Facts {
        let text = |name: &str| self.get(name).map(str::to_owned);
        let is_date = |text: &String| Timestamp::parse(TimestampFormat::HttpDate, text).is_ok();
        let metadata = self
            .fields
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(METADATA)?.to_owned(), value.clone())));
        Facts {
            content_type: text("content-type"),
            cache_control: text("cache-control"),
            content_disposition: text("content-disposition"),
            content_encoding: text("content-encoding"),
            content_language: text("content-language"),
            expires: text("expires").filter(is_date),
            website_redirect_location: text("x-amz-website-redirect-location"),
            storage_class: text("x-amz-storage-class"),
            encryption: text("x-amz-server-side-encryption"),
            encryption_key: text("x-amz-server-side-encryption-aws-kms-key-id"),
            bucket_key: None,
            metadata: metadata.collect(),
            ..Facts::default()
        }
    }

    fn tags(&self) -> Result<Tags, Failure> {
        let Some(xml) = self.get("tagging") else { return Ok(Tags::new()) };
        // A document of another kind has no tags.
        if xml.trim_start().starts_with('<') && !xml.contains("<Tagging") {
            return Ok(Tags::new());
        }
        let tagging: Tagging = from_xml(xml).map_err(|_| Failure::MalformedXml)?;
        body_tags(tagging.tag_set, OBJECT_TAGS)
    }
}

fn check_access_key(access_key: &str, credentials: &Credentials) -> Result<(), Failure> {
    if access_key == credentials.access_key_id {
        return Ok(());
    }
    Err(Failure::InvalidAccessKeyId(access_key.to_owned()))
}

/// What the form asks to be answered with.
struct Answer {
    location: String,
    bucket: String,
    key: String,
    redirect: Option<String>,
    status: StatusCode,
}

impl Answer {
    fn new(form: &Form, host: &str, bucket: &str, key: &str) -> Answer {
        let encoded: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let redirect = form.get("success_action_redirect").or(form.get("redirect"));
        Answer {
            location: format!("http://{host}/{bucket}/{}", encoded.replace('+', "%20")),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            redirect: redirect.filter(|url| url.starts_with("http")).map(str::to_owned),
            status: match form.get("success_action_status") {
                Some("200") => StatusCode::OK,
                Some("201") => StatusCode::CREATED,
                _ => StatusCode::NO_CONTENT,
            },
        }
    }

    fn write(self, etag: &str, version: Option<&str>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = if self.redirect.is_some() { StatusCode::SEE_OTHER } else { self.status };
        let location = self.redirect.as_ref().map_or_else(|| self.location.clone(), |url| self.redirected(url, etag));
        if self.redirect.is_none() && self.status == StatusCode::CREATED {
            let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
            for (name, value) in
                [("Location", self.location.as_str()), ("Bucket", &self.bucket), ("Key", &self.key), ("ETag", etag)]
            {
                element(&mut xml, name, value);
            }
            xml.push_str("</PostResponse>");
            *response.body_mut() = Body::from(xml);
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        let headers = [
            (header::LOCATION, Some(location.as_str())),
            (header::ETAG, Some(etag)),
            (super::front::VERSION_ID, version),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Where the page goes next, with what was stored.
    fn redirected(&self, url: &str, etag: &str) -> String {
        let pairs = [("bucket", self.bucket.as_str()), ("key", &self.key), ("etag", etag)];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' })
    }
}
