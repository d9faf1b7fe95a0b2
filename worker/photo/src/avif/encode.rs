//! Writing AVIF: one still AV1 frame, by rav1e, in a container that says what it is.
//!
//! Planes go to the encoder as they are: 4:2:0, 8 bits, the full range, BT.601.

use avif_serialize::{Aviffy, constants};
use rav1e::prelude::*;

use crate::{
    PhotoError,
    colour::{NO_COLOUR, rgb_to_ycc},
    picture::Picture,
    planes::Planes,
    rgb::Rgb,
};

/// About the bytes that encoding takes for a picture of a size, beside what any rendition does: 7 a pixel at usual qualities, 12 at the
/// highest, and the same for the edges that the encoder lays around it.
pub(crate) fn encoding((width, height): (usize, usize)) -> u64 {
    const EDGES: usize = 96;
    ((width + EDGES) * (height + EDGES) * 12) as u64
}

/// Encodes a picture of `width` x `height` pixels; its planes have colour half as fine as brightness.
pub(crate) fn encode(picture: &Picture, (width, height): (usize, usize), quality: u8) -> Result<Vec<u8>, PhotoError> {
    let mut context: Context<u8> = config(width, height, quality).new_context().map_err(broken)?;
    let mut frame = context.new_frame();
    match picture {
        Picture::Planes(planes) => fill_from_planes(&mut frame, planes),
        Picture::Rgb(rgb) => fill_from_rgb(&mut frame, rgb),
    }
    context.send_frame(frame).map_err(broken)?;
    context.flush();
    let mut encoded = Vec::new();
    loop {
        match context.receive_packet() {
            Ok(mut packet) => encoded.append(&mut packet.data),
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::LimitReached) => break,
            Err(error) => return Err(broken(error)),
        }
    }
    contained(&encoded, (width, height))
}

fn config(width: usize, height: usize, quality: u8) -> Config {
    let quantizer = quantizer(quality);
    Config::new().with_encoder_config(EncoderConfig {
        width,
        height,
        time_base: Rational::new(1, 1),
        chroma_sampling: ChromaSampling::Cs420,
        pixel_range: PixelRange::Full,
        color_description: Some(ColorDescription {
            color_primaries: ColorPrimaries::BT709,
            transfer_characteristics: TransferCharacteristics::SRGB,
            matrix_coefficients: MatrixCoefficients::BT601,
        }),
        still_picture: true,
        min_key_frame_interval: 0,
        max_key_frame_interval: 0,
        quantizer: quantizer.into(),
        min_quantizer: quantizer,
        speed_settings: speed(),
        ..EncoderConfig::default()
    })
}

/// How hard the encoder looks for the smallest file. At the same SSIM, a photo takes (CPU time and size beside this, two photos in two
/// sizes): at preset 6 2.5 times and 0.96, at 7 1.6 times and 0.96, at 9 0.9 times and 1.08, at 10 0.5 times and 1.25. Fine directions of
/// prediction would take 1.25 times as long for files 1 % smaller.
fn speed() -> SpeedSettings {
    let mut speed = SpeedSettings::from_preset(8);
    speed.prediction.fine_directional_intra = false;
    // What looks at the frames to come.
    speed.rdo_lookahead_frames = 1;
    speed.scene_detection_mode = SceneDetectionSpeed::None;
    speed.multiref = false;
    speed
}

/// The quantizer at which a picture is as like the photo (SSIM of brightness) as a JPEG of the quality given, in the mean of four photos
/// and four sizes.
fn quantizer(quality: u8) -> u8 {
    const MEASURED: [(u16, u16); 9] =
        [(1, 255), (30, 170), (50, 150), (70, 129), (80, 112), (90, 76), (95, 42), (98, 18), (100, 4)];
    let quality = u16::from(quality).clamp(1, 100);
    let above = MEASURED.partition_point(|(measured, _)| *measured < quality).max(1);
    let ((low, most), (high, least)) = (MEASURED[above - 1], MEASURED[above]);
    let quantizer = most - (most - least) * (quality - low) / (high - low);
    u8::try_from(quantizer).unwrap_or(u8::MAX)
}

fn fill_from_planes(frame: &mut Frame<u8>, planes: &Planes) {
    let [luma, cb, cr] = &mut frame.planes;
    luma.copy_from_raw_u8(&planes.luma.data, planes.luma.width, 1);
    match &planes.chroma {
        Some(chroma) => {
            for (to, from) in [cb, cr].into_iter().zip(chroma) {
                to.copy_from_raw_u8(&from.data, from.width, 1);
            }
        }
        // A frame of brightness alone would be told wrong by the container's writer, which knows three channels only.
        None => [cb, cr].into_iter().for_each(|plane| plane.data.fill(NO_COLOUR)),
    }
}

fn fill_from_rgb(frame: &mut Frame<u8>, rgb: &Rgb) {
    let planes = rgb_to_ycc(&rgb.data, rgb.width);
    let widths = [rgb.width, rgb.width.div_ceil(2), rgb.width.div_ceil(2)];
    for ((to, from), width) in frame.planes.iter_mut().zip(&planes).zip(widths) {
        to.copy_from_raw_u8(from, width, 1);
    }
}

/// Puts a frame into a container. Its writer leaves colours unsaid that are what a reader assumes where nothing is said, and these are.
fn contained(frame: &[u8], (width, height): (usize, usize)) -> Result<Vec<u8>, PhotoError> {
    let side = |pixels: usize| u32::try_from(pixels).map_err(broken);
    let mut file = Vec::new();
    Aviffy::new()
        .set_width(side(width)?)
        .set_height(side(height)?)
        .set_bit_depth(8)
        .set_seq_profile(0)
        .set_chroma_subsampling((true, true))
        .set_color_primaries(constants::ColorPrimaries::Bt709)
        .set_transfer_characteristics(constants::TransferCharacteristics::Srgb)
        .set_matrix_coefficients(constants::MatrixCoefficients::Bt601)
        .set_full_color_range(true)
        .write_slice(&mut file, frame, None)
        .map_err(broken)?;
    Ok(file)
}

fn broken(why: impl std::fmt::Display) -> PhotoError {
    PhotoError::Broken(format!("it cannot be encoded: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_picture_has_a_smaller_quantizer() {
        let quantizers: Vec<u8> = (0..=u8::MAX).map(quantizer).collect();
        assert!(quantizers.is_sorted_by(|a, b| a >= b), "{quantizers:?}");
        assert_eq!([0, 1, 2, 80, 85, 100, 255].map(|quality| quantizers[quality]), [255, 255, 253, 112, 94, 4, 4]);
    }
}
