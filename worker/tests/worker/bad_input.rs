//! Whatever people upload has one of three ends: refused at once, failed with its reason, or done. None of them takes the
//! worker along, or more memory than a small machine has.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use decouple_contract::{Animation, Renditions};
use image::ImageFormat;
use serde_json::Value;

use crate::support::{
    Cloud, Database, Worker,
    crafted::{self, Colours, large_png, lossless_webp_that_claims, progressive_jpeg_that_claims},
    eventually, id, moving, photo,
    processes::{Process, megabytes},
};

/// No process takes more, whatever comes.
const MOST_MEGABYTES: u64 = 200;

/// What becomes of an upload.
#[derive(Debug)]
enum End {
    /// The upload is answered with this status.
    Refused(u16),
    /// It is accepted, and fails for a reason that has this in it.
    Failed(&'static str),
    /// It is accepted and is a photo.
    Done,
}

use End::{Done, Failed, Refused};

fn cut(format: ImageFormat) -> Vec<u8> {
    let whole = image::load_from_memory(&photo("rocket.jpg")).unwrap();
    let mut file = crafted::encoded(&whole, format);
    file.truncate(file.len() * 6 / 10);
    file
}

fn jpeg_headers_alone() -> Vec<u8> {
    let mut file = photo("rocket.jpg");
    let scan = file.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
    file.truncate(scan);
    file
}

fn followed_by(mut file: Vec<u8>, more: &[u8]) -> Vec<u8> {
    file.extend_from_slice(more);
    file
}

/// One row a kind: its name, the file, and what becomes of it.
fn table() -> Vec<(&'static str, Vec<u8>, End)> {
    let html = b"<!doctype html><script>alert(1)</script>";
    let svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let no_exif = b"Exif\0\0II*\0\xFF\xFF\xFF\x7F\x41\x41\x41\x41";
    let no_profile = b"ICC_PROFILE\0\x01\x01\0\0\x02\0acspRGB XYZ \xFF\xFF\xFF\xFF";
    vec![
        ("nothing", Vec::new(), Refused(415)),
        ("text", b"hello, world".to_vec(), Refused(415)),
        ("HTML", html.to_vec(), Refused(415)),
        ("SVG", svg.to_vec(), Refused(415)),
        ("a program", [b"\x7FELF\x02\x01\x01\0", &[0; 200][..]].concat(), Refused(415)),
        ("an archive", b"PK\x03\x04\x14\0\0\0\x08\0aaaaaaaaaaaaaaaa".to_vec(), Refused(415)),
        ("the first bytes of a JPEG", photo("rocket.jpg")[..20].to_vec(), Refused(422)),
        ("a PNG's signature", b"\x89PNG\r\n\x1a\n".to_vec(), Refused(422)),
        ("a GIF's signature before a script", b"GIF89a=1;alert(1)//".to_vec(), Refused(422)),
        ("a JPEG's headers alone", jpeg_headers_alone(), Refused(422)),
        ("a JPEG that was cut off", cut(ImageFormat::Jpeg), Failed("cut off")),
        ("a PNG that was cut off", cut(ImageFormat::Png), Failed("cut off")),
        ("a WebP that was cut off", cut(ImageFormat::WebP), Failed("")),
        ("a GIF that was cut off", cut(ImageFormat::Gif), Failed("cut off")),
        ("an AVIF that was cut off", crafted::avif_that_was_cut_off(), Failed("cut off")),
        ("an HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), Refused(415)),
        ("a PNG by the name of a JPEG", photo("cat.png"), Done),
        ("a JPEG that is an archive too", followed_by(photo("rocket.jpg"), b"PK\x03\x04\x14\0\0\0\x08\0"), Done),
        ("a JPEG with a script in it", crafted::jpeg_with_segment(0xFE, html), Done),
        ("a PNG of 50,000 x 50,000", crafted::png_that_claims(50_000, 50_000), Refused(422)),
        ("a JPEG of 65,500 x 65,500", crafted::jpeg_that_claims(65_500, 65_500), Refused(422)),
        ("a JPEG that claims 9,000 x 9,000", crafted::jpeg_that_claims(9_000, 9_000), Failed("cut off")),
        ("a PNG that claims 9,000 x 9,000", crafted::png_that_claims(9_000, 9_000), Failed("enough data")),
        ("a PNG that unpacks to a thousand times its size", crafted::black_png(9_900, 9_900), Done),
        ("a PNG of 100 megapixels", large_png(Colours::Eight, false), Done),
        ("a PNG of 100 megapixels of 16 bits with transparency", large_png(Colours::SixteenAndAlpha, false), Done),
        ("the same, interlaced", large_png(Colours::SixteenAndAlpha, true), Done),
        ("a JPEG that claims 100 megapixels", crafted::jpeg_that_claims(10_000, 10_000), Failed("cut off")),
        ("a progressive JPEG that claims them", progressive_jpeg_that_claims(10_000, 10_000), Failed("MiB of memory")),
        (
            "a JPEG of uneven planes that claims them",
            crafted::jpeg_of_uneven_planes(10_000, 10_000),
            Failed("MiB of memory"),
        ),
        ("a lossless WebP that claims them", lossless_webp_that_claims(16_383, 6_100), Failed("MiB of memory")),
        ("a GIF that claims them", crafted::gif_that_claims(10_000, 10_000), Failed("cut off")),
        ("an AVIF of 65,535 x 65,535", crafted::avif_that_claims(65_535, 65_535), Refused(422)),
        ("an AVIF that claims 100 megapixels", crafted::avif_that_claims(10_000, 10_000), Failed("MiB of memory")),
        ("an AVIF whose frame is of another size", crafted::avif_that_claims(40, 30), Failed("frame")),
        ("an AVIF of 1,024 tiles", crafted::avif_of_tiles(32, 32), Done),
        ("an AVIF of 65,025 tiles", crafted::avif_of_tiles(255, 255), Refused(422)),
        ("a PNG of 12 megapixels, all black", crafted::black_png(4_000, 3_000), Done),
        ("a PNG with a profile of 300 MB", crafted::png_with_profile_of(300 << 20), Done),
        ("a PNG with a comment of 300 MB", crafted::png_with_comment_of(300 << 20), Done),
        ("an APNG of a thousand huge frames", crafted::apng_of(1000), Done),
        ("a GIF of 65,535 x 65,535", crafted::gif_that_claims(65_535, 65_535), Refused(422)),
        ("a GIF with a frame of 65,535 x 65,535", crafted::gif_that_claims(16, 65_535), Failed("")),
        ("a progressive JPEG", crafted::jpeg_of_scans(1), Done),
        ("a JPEG of 5,000 scans", crafted::jpeg_of_scans(5000), Failed("scans")),
        ("a JPEG of four inks", crafted::CMYK.to_vec(), Done),
        ("a JPEG with a broken profile", crafted::jpeg_with_segment(0xE2, no_profile), Done),
        ("a JPEG with broken EXIF data", crafted::jpeg_with_segment(0xE1, no_exif), Done),
    ]
}

/// What the rows of the table cost, for those who run this with `--nocapture`.
#[expect(clippy::print_stdout, reason = "nobody else sees it")]
fn print(costs: &[String]) {
    println!("\n| what | bytes | its end | ms | workers, MB | decoders, MB |\n|---|---|---|---|---|---|");
    println!("{}", costs.join("\n"));
}

fn processes(workers: [&Worker; 2]) -> impl Iterator<Item = Process> {
    workers.map(Process::of).into_iter().flat_map(|itself| [vec![itself], itself.children()].concat())
}

/// The most memory that a worker has had since that was forgotten, and that a process has had in which it decodes, in KiB.
fn peaks(workers: [&Worker; 2]) -> [u64; 2] {
    let themselves = workers.map(Process::of);
    let decoders = themselves.map(Process::children).concat();
    [&themselves[..], &decoders].map(|processes| processes.iter().map(|process| process.peak()).max().unwrap_or(0))
}

fn came_to(record: &Value, end: &End) -> bool {
    let part = |part: &str| {
        let state = record[part]["state"].as_str().unwrap_or_default();
        match end {
            Done => state == "done",
            Failed(why) => {
                let reason = record[part]["reason"].as_str().unwrap_or_default();
                state == "failed" && !reason.is_empty() && reason.contains(why)
            }
            Refused(_) => false,
        }
    };
    part("resize") && part("tag")
}

/// The same of what moves, where that is kept.
fn table_of_what_moves() -> Vec<(&'static str, Vec<u8>, End)> {
    let mut cut_apng = crafted::apng_of(2);
    cut_apng.truncate(cut_apng.len() - 40);
    vec![
        ("a GIF of 2,000 frames", moving::gif((64, 48), 2000), Done),
        ("a GIF of 10,000 frames", moving::gif((64, 48), 10_000), Done),
        ("a GIF of 100 frames of 4 megapixels", moving::gif((2000, 2000), 100), Done),
        ("a GIF of two frames of 100 megapixels", moving::gif((10_000, 10_000), 2), Done),
        ("a GIF that sticks out very far", moving::gif_that_sticks_out(), Done),
        ("a GIF that was cut off in its fifth frame", moving::gif_cut_in_its_fifth_frame(), Failed("cut off")),
        ("a GIF whose second frame is broken", moving::gif_with_broken_second_frame(), Failed("cannot be decoded")),
        ("an APNG of a thousand huge frames", crafted::apng_of(1000), Done),
        ("an APNG that was cut off", cut_apng, Failed("cut off")),
        ("an animated WebP", moving::webp((64, 64), (64, 64), 2), Done),
        ("an animated WebP of huge frames", moving::webp((16_383, 6100), (16, 16), 2), Failed("MiB of memory")),
        ("an animated WebP that sticks out", moving::webp((16, 16), (64, 64), 2), Failed("cannot be decoded")),
        ("an animated WebP without a frame", moving::webp((64, 64), (64, 64), 0), Refused(422)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_input_has_its_end_and_the_worker_goes_on() {
    all_come_to_their_end(table(), &Renditions::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_to_no_good_has_its_end_and_the_worker_goes_on() {
    let settings = Renditions { animation: Animation::Keep, ..Renditions::default() };
    all_come_to_their_end(table_of_what_moves(), &settings).await;
}

async fn all_come_to_their_end(table: Vec<(&'static str, Vec<u8>, End)>, settings: &Renditions) {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 3).await;
    let mut web = Worker::web(&cloud, &database, &queue).await;
    let mut process = Worker::of("process", &cloud, &database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("DECOUPLE_PHOTO_MEMORY_MIB", &MOST_MEGABYTES.to_string())
        .env("DECOUPLE_RENDITIONS", &serde_json::to_string(settings).unwrap())
        .start()
        .await;
    let client = web.client();
    let mut surprises = Vec::new();
    let mut costs = Vec::new();
    for (what, content, end) in table {
        let bytes = content.len();
        for process in processes([&web, &process]) {
            process.forget_peak();
        }
        let begun = Instant::now();
        let answer = client.upload(content).await;
        let status = answer.status().as_u16();
        let mut record: Value = answer.json().await.unwrap();
        let as_expected = if let Refused(expected) = end {
            status == expected
        } else if status == 202 {
            record = client.settled(&id(&record)).await;
            came_to(&record, &end)
        } else {
            false
        };
        let (took, peaks) = (begun.elapsed().as_millis(), peaks([&web, &process]));
        let [worker, decoder] = peaks.map(|peak| peak / 1024);
        costs.push(format!("| {what} | {bytes} | {end:?} | {took} | {worker} | {decoder} |"));
        if !as_expected {
            surprises.push(format!("{what} should be {end:?}: {status} {record}"));
        }
        if peaks.into_iter().any(|peak| peak >= megabytes(MOST_MEGABYTES)) {
            surprises.push(format!("{what} took a process of {worker} MB, or one of {decoder} MB"));
        }
    }
    print(&costs);
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert!(web.runs() && process.runs());
    queue.drained().await;
    assert_eq!(queue.dead().await, 0, "what can never be done is not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decodes_has_no_credential_and_is_told_how_to_get_memory() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    worker.client().accepted(photo("cat.png")).await;
    let itself = Process::of(&worker);
    assert!(itself.variables().iter().any(|name| name == "AWS_SECRET_ACCESS_KEY"));
    let decoders = itself.children();
    assert!(!decoders.is_empty());
    for decoder in decoders {
        // The C library cuts its settings up where they stand, so that each looks like a variable.
        let variables = decoder.variables();
        let (first, others) = variables.split_first().unwrap();
        assert_eq!(first, "GLIBC_TUNABLES");
        assert!(others.iter().all(|name| name.starts_with("glibc.malloc.")), "{others:?}");
    }
}

/// Ends every decoding process by a signal that takes so much that it can only be at the large photo, until that has an end.
async fn ending_what_is_large<T>(worker: &Worker, signal: &str, until: impl Future<Output = T>) -> (T, usize) {
    let killed = AtomicUsize::new(0);
    let kill = async {
        let mut often = tokio::time::interval(Duration::from_millis(2));
        loop {
            often.tick().await;
            for child in Process::of(worker).children() {
                if child.resident() > megabytes(60) {
                    child.signal(signal);
                    killed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    let ended = tokio::select! {
        () = kill => unreachable!("it goes on for ever"),
        ended = until => ended,
    };
    (ended, killed.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_breaks_its_decoder_twice_fails_and_takes_no_other_along() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let mut process = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    // What a crash in a decoder comes to: the process is gone, in the middle of a photo.
    let uploads = async {
        let large = id(&client.accepted(crafted::noise(4500)).await);
        let mut small = Vec::new();
        for _ in 0..8 {
            small.push(id(&client.accepted(photo("rocket.jpg")).await));
        }
        (client.settled(&large).await, small)
    };
    let ((record, small), killed) = ending_what_is_large(&process, "-SEGV", uploads).await;
    assert!(killed >= 2, "{killed}");
    for part in ["resize", "tag"] {
        assert_eq!(record[part]["state"], "failed", "{record}");
        assert!(record[part]["reason"].as_str().unwrap().contains("broke down"), "{record}");
    }
    for id in small {
        let record = client.settled(&id).await;
        assert_eq!((&record["resize"]["state"], &record["tag"]["state"]), (&"done".into(), &"done".into()));
    }
    assert!(process.runs());
    queue.drained().await;
    assert_eq!(queue.dead().await, 0, "a photo that breaks decoders has an end, and is not tried for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_whose_decoders_were_killed_from_outside_is_put_off_and_done_later() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let process = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    let large = id(&client.accepted(crafted::noise(4500)).await);
    // As the kernel does when memory runs short.
    let put_off =
        eventually("the photo is put off", async || process.log().contains("ended from outside").then_some(()));
    let ((), killed) = ending_what_is_large(&process, "-KILL", put_off).await;
    assert!(killed >= 2, "{killed}");
    assert!(process.client().errors("compute").await >= 2);
    let record = client.settled(&large).await;
    for part in ["resize", "tag"] {
        assert_eq!((&record[part]["state"], &record[part]["reason"]), (&"done".into(), &Value::Null), "{record}");
    }
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}
