//! Documents as the service writes them: a line for the declaration, a namespace, elements in its order. The crate writes the same
//! elements, but there are clients that count on the rest.

use std::{borrow::Cow, fmt::Write};

use bytes::Bytes;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const NAMESPACE: &str = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const LIST_OF_BUCKETS: &str = "ListAllMyBucketsResult";

/// A document as it was written, in its pieces.
struct Document<'a> {
    name: &'a str,
    attributes: &'a str,
    content: &'a str,
}

/// The document as the service writes it, with elements before and after those of its root. Nothing where it is no document.
pub(super) fn as_written(body: &[u8], first: &str, last: &str) -> Option<Bytes> {
    let Document { name, attributes, content } = Document::of(std::str::from_utf8(body).ok()?)?;
    let content = if name == LIST_OF_BUCKETS { Cow::from(listed_buckets(content)) } else { Cow::from(content) };
    let mut text = String::with_capacity(body.len() + first.len() + last.len() + NAMESPACE.len() + 8);
    text.extend([DECLARATION, "\n<", name, attributes]);
    if !attributes.contains("xmlns=") && name != "Error" {
        text.push_str(NAMESPACE);
    }
    if first.is_empty() && content.is_empty() && last.is_empty() {
        text.push_str("/>");
    } else {
        text.extend([">", first, &content, last, "</", name, ">"]);
    }
    Some(text.into())
}

impl<'a> Document<'a> {
    fn of(text: &'a str) -> Option<Document<'a>> {
        let root = text.strip_prefix(DECLARATION)?.trim_start().strip_prefix('<')?;
        let (tag, rest) = root.split_once('>')?;
        let (name, attributes) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
        let content = rest.trim_end().strip_suffix('>')?.strip_suffix(name)?.strip_suffix("</")?;
        Some(Document { name, attributes, content })
    }
}

/// The owner first, and each bucket with its ARN, which the crate does not know.
fn listed_buckets(content: &str) -> String {
    let owner = between(content, "<Owner>", "</Owner>").unwrap_or_default();
    let rest = content.replacen(&format!("<Owner>{owner}</Owner>"), "", 1);
    let mut text = format!("<Owner>{owner}</Owner>");
    for (number, piece) in rest.split("<Bucket>").enumerate() {
        if number > 0 {
            let name = between(piece, "<Name>", "</Name>").unwrap_or_default();
            let _ = write!(text, "<Bucket><BucketArn>{}</BucketArn>", arn(name));
        }
        text.push_str(piece);
    }
    text
}

/// The ARN of a bucket.
pub(super) fn arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str, first: &str, last: &str) -> String {
        let body = format!("{DECLARATION}{content}");
        let bytes = as_written(body.as_bytes(), first, last).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap().strip_prefix(DECLARATION).unwrap().to_owned()
    }

    #[test]
    fn roots_have_a_namespace_and_what_is_added() {
        assert_eq!(
            written("<A><B>1</B></A>", "<C>0</C>", "<D>2</D>"),
            format!("\n<A{NAMESPACE}><C>0</C><B>1</B><D>2</D></A>")
        );
        assert_eq!(written("<A xmlns=\"x\"></A>", "", ""), "\n<A xmlns=\"x\"/>");
        assert_eq!(written("<Error><Code>c</Code></Error>", "", ""), "\n<Error><Code>c</Code></Error>");
        assert!(as_written(b"not one", "", "").is_none() && as_written(&[0xff], "", "").is_none());
    }

    #[test]
    fn lists_of_buckets_begin_with_their_owner() {
        let list = "<ListAllMyBucketsResult xmlns=\"x\"><Buckets><Bucket><Name>a</Name></Bucket></Buckets><Owner><ID>1</ID></Owner>\
                    </ListAllMyBucketsResult>";
        let expected = "\n<ListAllMyBucketsResult xmlns=\"x\"><Owner><ID>1</ID></Owner><Buckets><Bucket>\
                        <BucketArn>arn:aws:s3:::a</BucketArn><Name>a</Name></Bucket></Buckets></ListAllMyBucketsResult>";
        assert_eq!(written(list, "", ""), expected);
    }
}
