//! What becomes of a photo's pixels: turned upright, freed of metadata, and never half-grey.

use std::io::Cursor;

use image::{
    AnimationDecoder as _, Delay, DynamicImage, Frame, ImageFormat, Rgb, RgbImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, webp::WebPDecoder},
};
use serde_json::Value;

use crate::support::{Client, Cloud, Database, Worker, id, photo};

const RED: [u8; 3] = [220, 20, 20];
const GREEN: [u8; 3] = [20, 200, 20];
const BLUE: [u8; 3] = [20, 20, 220];
const YELLOW: [u8; 3] = [220, 220, 20];

/// A photo of four colours, 96 x 64: red and green above blue and yellow.
fn quarters() -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| {
        Rgb(match (x < 48, y < 32) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => YELLOW,
        })
    })
}

/// Returns EXIF data with an orientation and a place on Earth.
fn exif(orientation: u16) -> Vec<u8> {
    let mut data = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
    let mut entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        data.extend_from_slice(&tag.to_le_bytes());
        data.extend_from_slice(&kind.to_le_bytes());
        data.extend_from_slice(&count.to_le_bytes());
        data.extend_from_slice(&value);
    };
    entry(0x0112, 3, 1, u32::from(orientation).to_le_bytes());
    entry(0x8825, 4, 1, 38_u32.to_le_bytes());
    data.extend_from_slice(&[0, 0, 0, 0, 1, 0]);
    data.extend_from_slice(&[1, 0, 2, 0, 2, 0, 0, 0, b'N', 0, 0, 0, 0, 0, 0, 0]);
    data.extend_from_slice(b"GPSSECRETPLACE");
    data
}

fn jpeg_with(orientation: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let picture = quarters();
    JpegEncoder::new_with_quality(&mut file, 95).encode_image(&picture).unwrap();
    let exif = exif(orientation);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xFF, 0xE1, length[0], length[1]], &exif[..]].concat();
    file.splice(2..2, segment);
    file
}

/// Returns the colours of the corners: above left and right, below left and right.
fn corners(file: &[u8]) -> [[u8; 3]; 4] {
    let picture = image::load_from_memory(file).unwrap().into_rgb8();
    let (right, below) = (picture.width() - 4, picture.height() - 4);
    [(4, 4), (right, 4), (4, below), (right, below)].map(|(x, y)| {
        let seen = picture.get_pixel(x, y).0;
        let near = |colour: &[u8; 3]| colour.iter().zip(seen).all(|(a, b)| a.abs_diff(b) < 60);
        [RED, GREEN, BLUE, YELLOW].into_iter().find(near).unwrap_or(seen)
    })
}

async fn first_rendition(client: &Client, record: &Value) -> Vec<u8> {
    let url = record["resize"]["renditions"][0]["url"].as_str().unwrap_or_else(|| panic!("no rendition: {record}"));
    client.get(url).await.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_orientation_is_turned_upright_and_no_metadata_is_left() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    let upright = [
        [RED, GREEN, BLUE, YELLOW],
        [GREEN, RED, YELLOW, BLUE],
        [YELLOW, BLUE, GREEN, RED],
        [BLUE, YELLOW, RED, GREEN],
        [RED, BLUE, GREEN, YELLOW],
        [BLUE, RED, YELLOW, GREEN],
        [YELLOW, GREEN, BLUE, RED],
        [GREEN, YELLOW, RED, BLUE],
    ];
    for (orientation, expected) in (1..).zip(upright) {
        let sent = jpeg_with(orientation);
        let record = client.accepted(sent.clone()).await;
        let size = if orientation < 5 { (96, 64) } else { (64, 96) };
        assert_eq!((&record["width"], &record["height"]), (&size.0.into(), &size.1.into()), "{orientation}");
        let file = first_rendition(&client, &record).await;
        assert_eq!(corners(&file), expected, "orientation {orientation}");
        let holds = |word: &[u8]| file.windows(word.len()).any(|window| window == word);
        assert!(!holds(b"Exif") && !holds(b"GPSSECRETPLACE"), "orientation {orientation}");
        let original = client.get(&format!("/images/{}/original", id(&record))).await.bytes().await.unwrap();
        assert_eq!(original, sent, "the original is kept as it came");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transparency_is_white_and_deep_or_grey_photos_are_photos() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    let clear = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(40, 40, image::Rgba([255, 0, 0, 0])));
    let deep = DynamicImage::ImageRgb16(image::ImageBuffer::from_pixel(40, 40, Rgb([0xFFFF_u16, 0xFFFF, 0xFFFF])));
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(40, 40, image::Luma([255])));
    for picture in [clear, deep, grey] {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, ImageFormat::Png).unwrap();
        let record = client.accepted(file.into_inner()).await;
        let rendition = image::load_from_memory(&first_rendition(&client, &record).await).unwrap().into_rgb8();
        assert!(
            rendition.get_pixel(20, 20).0.iter().all(|channel| *channel > 250),
            "{:?}",
            rendition.get_pixel(20, 20)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renditions_are_as_the_settings_say() {
    for (format, kind) in [("webp", ImageFormat::WebP), ("avif", ImageFormat::Avif)] {
        let (cloud, database) = (Cloud::start().await, Database::sqlite());
        let settings = format!(r#"{{"widths": [100, 50, 5000, 100], "quality": 60, "format": "{format}"}}"#);
        let worker = Worker::of("all", &cloud, &database).env("DECOUPLE_RENDITIONS", &settings).start().await;
        let client = worker.client();
        let record = client.accepted(photo("rocket.jpg")).await;
        let renditions = record["resize"]["renditions"].as_array().unwrap();
        let widths: Vec<u64> = renditions.iter().map(|rendition| rendition["width"].as_u64().unwrap()).collect();
        assert_eq!(widths, [640, 100, 50]);
        let answer = client.get(renditions[1]["url"].as_str().unwrap()).await;
        assert_eq!(answer.headers()["content-type"], kind.to_mime_type());
        let file = answer.bytes().await.unwrap();
        assert_eq!(image::guess_format(&file).unwrap(), kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_kept_moving_where_settings_say_so() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let settings = r#"{"widths": [48, 24], "quality": 80, "format": "jpeg", "animation": "keep"}"#;
    let worker = Worker::of("all", &cloud, &database).env("DECOUPLE_RENDITIONS", settings).start().await;
    let client = worker.client();
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file);
    let frames = [RED, GREEN, BLUE].map(|colour| {
        let picture = RgbImage::from_pixel(96, 64, Rgb(colour));
        Frame::from_parts(DynamicImage::ImageRgb8(picture).into_rgba8(), 0, 0, Delay::from_numer_denom_ms(70, 1))
    });
    encoder.encode_frames(frames).unwrap();
    drop(encoder);
    let record = client.accepted(file).await;
    assert_eq!(record["tag"]["state"], "done");
    for (index, size) in [(0, (48, 32)), (1, (24, 16))] {
        let rendition = &record["resize"]["renditions"][index];
        let answer = client.get(rendition["url"].as_str().unwrap()).await;
        assert_eq!(answer.headers()["content-type"], "image/webp");
        let decoder = WebPDecoder::new(Cursor::new(answer.bytes().await.unwrap())).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 3);
        for (frame, colour) in frames.iter().zip([RED, GREEN, BLUE]) {
            assert_eq!((frame.buffer().dimensions(), frame.delay().numer_denom_ms()), (size, (70, 1)));
            let seen = frame.buffer().get_pixel(8, 8).0;
            assert!(seen.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 12), "{seen:?}");
        }
    }
    // What stands still is as the settings say.
    let record = client.accepted(photo("cat.png")).await;
    let answer = client.get(record["resize"]["renditions"][0]["url"].as_str().unwrap()).await;
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_was_cut_off_fails_with_a_reason_and_is_never_half_grey() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    let whole = image::load_from_memory(&photo("rocket.jpg")).unwrap();
    for format in
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::Bmp]
    {
        let mut file = Cursor::new(Vec::new());
        whole.write_to(&mut file, format).unwrap();
        let mut file = file.into_inner();
        // A TIFF has its header at the end: cut it in the middle of nothing that the header needs.
        file.truncate(file.len() * 6 / 10);
        let answer = client.upload(file).await;
        let status = answer.status();
        let record: Value = answer.json().await.unwrap();
        if status == 422 {
            // The header itself was cut off, and the upload was refused at once.
            assert_eq!(format, ImageFormat::Tiff);
            continue;
        }
        assert_eq!(status, 202, "{format:?} {record}");
        let record = client.settled(&id(&record)).await;
        for part in ["resize", "tag"] {
            assert_eq!(record[part]["state"], "failed", "{format:?} {record}");
            assert!(!record[part]["reason"].as_str().unwrap().is_empty());
        }
        assert_eq!(record["resize"]["renditions"], serde_json::json!([]));
    }
    queue.drained().await;
    assert_eq!(queue.dead().await, 0, "what can never be done is not tried again");
}
