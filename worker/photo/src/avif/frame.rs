//! One AV1 frame, decoded by rav1d: its planes, row by row.

use re_rav1d::dav1d::{self, Decoder, PixelLayout, PlanarImageComponent as Component, Settings, pixel::YUVRange};

use crate::PhotoError;

/// A decoded frame.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Of a sample.
    pub(super) bits: u8,
    /// How many pixels a sample of colour covers, across and down; none where there is no colour.
    pub(super) coarse: Option<(usize, usize)>,
    pub(super) full_range: bool,
    /// Brightness, and two of colour. A row may be longer than the frame is wide.
    planes: Vec<Plane>,
}

struct Plane {
    data: dav1d::Plane,
    /// Bytes from a row to the next.
    stride: usize,
}

impl Frame {
    /// Decodes the first frame of a stream, which must be of the size given.
    pub(super) fn decode(stream: Vec<u8>, (width, height): (usize, usize)) -> Result<Self, PhotoError> {
        if stream.is_empty() {
            return Err(PhotoError::Truncated);
        }
        let mut settings = Settings::new();
        // One photo takes one core, and what is larger than the container says is not begun.
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_all_layers(false);
        settings.set_frame_size_limit(u32::try_from(width.saturating_mul(height)).unwrap_or(u32::MAX));
        let mut decoder = Decoder::with_settings(&settings).map_err(PhotoError::broken)?;
        let picture = first_picture(&mut decoder, stream).map_err(|error| match error {
            dav1d::Error::Again => PhotoError::Truncated,
            error => PhotoError::Broken(format!("its frame is broken, or larger than {width} x {height}: {error}")),
        })?;
        if (picture.width() as usize, picture.height() as usize) != (width, height) {
            let why = format!("its frame is of {} x {}, not of {width} x {height}", picture.width(), picture.height());
            return Err(PhotoError::Broken(why));
        }
        let coarse = match picture.pixel_layout() {
            PixelLayout::I400 => None,
            PixelLayout::I420 => Some((2, 2)),
            PixelLayout::I422 => Some((2, 1)),
            PixelLayout::I444 => Some((1, 1)),
        };
        let components: &[Component] =
            if coarse.is_none() { &[Component::Y] } else { &[Component::Y, Component::U, Component::V] };
        let plane = |component: &Component| Plane {
            data: picture.plane(*component),
            stride: picture.stride(*component) as usize,
        };
        let bits = picture.bits_per_component().map_or(8, |bits| bits.0);
        Ok(Self {
            width,
            height,
            bits: u8::try_from(bits).map_err(PhotoError::broken)?,
            coarse,
            full_range: picture.color_range() == YUVRange::Full,
            planes: components.iter().map(plane).collect(),
        })
    }

    /// The bytes of a row of a plane: one a sample, or two in the order of this machine.
    pub(super) fn row(&self, plane: usize, row: usize) -> &[u8] {
        let across = match (plane, self.coarse) {
            (0, _) | (_, None) => 1,
            (_, Some((across, _))) => across,
        };
        let bytes = self.width.div_ceil(across) * if self.bits > 8 { 2 } else { 1 };
        let plane = &self.planes[plane];
        &plane.data[row * plane.stride..][..bytes]
    }
}

/// Returns the first picture of a stream; the error that asks for more where there is none.
fn first_picture(decoder: &mut Decoder, stream: Vec<u8>) -> Result<dav1d::Picture, dav1d::Error> {
    let mut sent = decoder.send_data(stream, None, None, None);
    loop {
        match sent {
            Ok(()) | Err(dav1d::Error::Again) => {}
            Err(error) => return Err(error),
        }
        match decoder.get_picture() {
            Err(dav1d::Error::Again) if sent.is_err() => sent = decoder.send_pending_data(),
            picture => return picture,
        }
    }
}
