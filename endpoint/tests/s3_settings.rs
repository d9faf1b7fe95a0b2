//! Configurations of buckets, by the official SDK, and what a browser makes of CORS.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{
        AnalyticsConfiguration, BucketLifecycleConfiguration, CorsConfiguration, CorsRule, CreateBucketConfiguration,
        ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, MetricsConfiguration, MetricsFilter,
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule, StorageClassAnalysis, Tag,
    },
};
use reqwest::Method;

use crate::support::{Running, fresh};

const BUCKET: &str = "settings";

#[tokio::test]
async fn what_is_set_is_answered_after_a_restart_too() {
    let (directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let no_rules = s3.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(no_rules.code(), Some("NoSuchLifecycleConfiguration"));
    let no_policy = s3.get_bucket_policy().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(no_policy.code(), Some("NoSuchBucketPolicy"));
    let own = s3.get_bucket_encryption().bucket(BUCKET).send().await.unwrap();
    let own = own.server_side_encryption_configuration().unwrap().rules()[0].clone();
    let algorithm = own.apply_server_side_encryption_by_default().unwrap().sse_algorithm();
    assert_eq!(algorithm, &ServerSideEncryption::Aes256);

    let rule = LifecycleRule::builder()
        .id("old")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("tmp/").build())
        .expiration(LifecycleExpiration::builder().days(3).build());
    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap()).build().unwrap();
    let put = s3.put_bucket_lifecycle_configuration().bucket(BUCKET).lifecycle_configuration(rules.clone());
    put.send().await.unwrap();
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms).build().unwrap();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    let put = s3.put_bucket_encryption().bucket(BUCKET).server_side_encryption_configuration(encryption.clone());
    put.send().await.unwrap();
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*"}]}"#;
    s3.put_bucket_policy().bucket(BUCKET).policy(policy).send().await.unwrap();
    endpoint.stop().await;

    let endpoint = Running::start(directory.path()).await;
    let s3 = endpoint.s3().await;
    let kept = s3.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(kept.rules(), rules.rules());
    let kept = s3.get_bucket_encryption().bucket(BUCKET).send().await.unwrap();
    let kept = kept.server_side_encryption_configuration().unwrap();
    let default = kept.rules()[0].apply_server_side_encryption_by_default().unwrap();
    assert_eq!(default.sse_algorithm(), &ServerSideEncryption::AwsKms);
    assert_eq!(s3.get_bucket_policy().bucket(BUCKET).send().await.unwrap().policy(), Some(policy));
    let malformed = s3.put_bucket_policy().bucket(BUCKET).policy("{").send().await.unwrap_err();
    assert_eq!(malformed.code(), Some("MalformedPolicy"));

    let body = ByteStream::from_static(b"x");
    let expiring = s3.put_object().bucket(BUCKET).key("tmp/k").body(body).send().await.unwrap();
    assert!(expiring.expiration().unwrap().ends_with("00:00:00 GMT\", rule-id=\"old\""), "{expiring:?}");
    let head = s3.head_object().bucket(BUCKET).key("tmp/k").send().await.unwrap();
    assert_eq!(head.expiration(), expiring.expiration());
    s3.delete_object().bucket(BUCKET).key("tmp/k").send().await.unwrap();
    s3.delete_bucket_lifecycle().bucket(BUCKET).send().await.unwrap();
    s3.delete_bucket_encryption().bucket(BUCKET).send().await.unwrap();
    s3.delete_bucket_policy().bucket(BUCKET).send().await.unwrap();
    assert!(s3.get_bucket_policy().bucket(BUCKET).send().await.is_err());
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    endpoint.stop().await;
}

#[tokio::test]
async fn a_page_may_do_what_the_bucket_allows() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let (http, url) = (reqwest::Client::new(), format!("{}/{BUCKET}/key", endpoint.url()));
    let preflight = |origin: &'static str, method: &'static str| {
        let request = http.request(Method::OPTIONS, &url).header("origin", origin);
        request.header("access-control-request-method", method).header("access-control-request-headers", "content-type")
    };
    let closed = preflight("https://app.example.com", "PUT").send().await.unwrap();
    assert_eq!(closed.status().as_u16(), 403);
    assert!(closed.text().await.unwrap().contains("CORS is not enabled for this bucket"));

    let rule = CorsRule::builder()
        .allowed_origins("https://app.example.com")
        .allowed_methods("PUT")
        .allowed_methods("GET")
        .allowed_headers("*")
        .expose_headers("ETag")
        .max_age_seconds(60);
    let cors = CorsConfiguration::builder().cors_rules(rule.build().unwrap()).build().unwrap();
    s3.put_bucket_cors().bucket(BUCKET).cors_configuration(cors.clone()).send().await.unwrap();
    assert_eq!(s3.get_bucket_cors().bucket(BUCKET).send().await.unwrap().cors_rules(), cors.cors_rules());
    let allowed = preflight("https://app.example.com", "PUT").send().await.unwrap();
    assert_eq!(allowed.status().as_u16(), 200);
    let header = |name: &str| allowed.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(header("access-control-allow-methods"), Some("PUT, GET"));
    assert_eq!(header("access-control-allow-headers"), Some("content-type"));
    assert_eq!(header("access-control-max-age"), Some("60"));
    assert_eq!(preflight("https://other.example.com", "PUT").send().await.unwrap().status().as_u16(), 403);
    assert_eq!(preflight("https://app.example.com", "DELETE").send().await.unwrap().status().as_u16(), 403);
    let answered = http.get(&url).header("origin", "https://app.example.com").send().await.unwrap();
    assert_eq!(answered.status().as_u16(), 403);
    assert!(answered.headers().contains_key("access-control-allow-origin"));
    let stranger = http.get(&url).header("origin", "https://other.example.com").send().await.unwrap();
    assert!(!stranger.headers().contains_key("access-control-allow-origin"));
    endpoint.stop().await;
}

#[tokio::test]
async fn configurations_with_ids_are_kept_each() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let missing = s3.get_bucket_analytics_configuration().bucket(BUCKET).id("a").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchConfiguration"));
    let put = |id: &str, inside: &str| {
        let analysis = StorageClassAnalysis::builder().build();
        let configuration =
            AnalyticsConfiguration::builder().id(inside).storage_class_analysis(analysis).build().unwrap();
        s3.put_bucket_analytics_configuration().bucket(BUCKET).id(id).analytics_configuration(configuration).send()
    };
    put("a", "a").await.unwrap();
    put("b", "b").await.unwrap();
    assert_eq!(put("a", "other").await.unwrap_err().code(), Some("MalformedXML"));
    let listed = s3.list_bucket_analytics_configurations().bucket(BUCKET).send().await.unwrap();
    let ids: Vec<_> = listed.analytics_configuration_list().iter().map(AnalyticsConfiguration::id).collect();
    assert_eq!(ids, ["a", "b"]);
    let filter = MetricsFilter::Prefix("p/".into());
    let metrics = MetricsConfiguration::builder().id("m").filter(filter.clone()).build().unwrap();
    s3.put_bucket_metrics_configuration().bucket(BUCKET).id("m").metrics_configuration(metrics).send().await.unwrap();
    let kept = s3.get_bucket_metrics_configuration().bucket(BUCKET).id("m").send().await.unwrap();
    assert_eq!(kept.metrics_configuration().unwrap().filter(), Some(&filter));
    s3.delete_bucket_analytics_configuration().bucket(BUCKET).id("a").send().await.unwrap();
    let gone = s3.delete_bucket_analytics_configuration().bucket(BUCKET).id("a").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchConfiguration"));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_bucket_is_where_its_client_is() {
    let (_directory, endpoint) = fresh().await;
    let elsewhere = endpoint.sdk().await.to_builder().region(aws_config::Region::new("eu-west-2")).build();
    let s3 = crate::support::s3_for(&elsewhere);
    let unsaid = s3.create_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(unsaid.code(), Some("IllegalLocationConstraintException"));
    let make = |region: &str| {
        let at = CreateBucketConfiguration::builder().location_constraint(region.into()).build();
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(at).send()
    };
    assert_eq!(make("us-west-1").await.unwrap_err().code(), Some("IllegalLocationConstraintException"));
    make("eu-west-2").await.unwrap();
    let head = s3.head_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("eu-west-2"));
    let arn = format!("arn:aws:s3:::{BUCKET}");
    assert_eq!((head.bucket_arn(), head.access_point_alias()), (Some(arn.as_str()), Some(false)));
    let tag = |key: &str| Tag::builder().key(key).value("v").build().unwrap();
    let tagged = |name: &str, key: &str| {
        let with = CreateBucketConfiguration::builder().location_constraint("eu-west-2".into()).tags(tag(key)).build();
        s3.create_bucket().bucket(name).create_bucket_configuration(with).send()
    };
    assert_eq!(tagged("tagged", "aws:k").await.unwrap_err().code(), Some("InvalidTag"));
    tagged("tagged", "k").await.unwrap();
    let tags = s3.get_bucket_tagging().bucket("tagged").send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag("k")]);
    s3.delete_bucket().bucket("tagged").send().await.unwrap();
    let there = endpoint.s3().await.list_buckets().bucket_region("eu-west-2").send().await.unwrap();
    assert_eq!(there.buckets()[0].bucket_arn(), Some(arn.as_str()));
    endpoint.stop().await;
}
