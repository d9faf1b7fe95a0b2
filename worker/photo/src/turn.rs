//! Putting a photo upright: cameras store what the sensor saw and say in the metadata how it was held.

use image::metadata::Orientation;

use crate::{
    planes::{Mirrored, Plane, Planes},
    rgb::Rgb,
};

/// How a photo is put upright: mirrored across or down first, then rows and columns swapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) mirrored: Mirrored,
    pub(crate) swapped: bool,
}

impl Turn {
    pub(crate) fn of(orientation: Orientation) -> Self {
        use Orientation as O;
        let (across, down, swapped) = match orientation {
            O::NoTransforms => (false, false, false),
            O::FlipHorizontal => (true, false, false),
            O::Rotate180 => (true, true, false),
            O::FlipVertical => (false, true, false),
            O::Rotate90FlipH => (false, false, true),
            O::Rotate90 => (false, true, true),
            O::Rotate270FlipH => (true, true, true),
            O::Rotate270 => (true, false, true),
        };
        Self { mirrored: Mirrored { across, down }, swapped }
    }

    /// Returns a size as it is once the photo is upright, and the other way round.
    pub(crate) fn size<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.swapped { (height, width) } else { (width, height) }
    }

    pub(crate) fn planes(self, planes: Planes) -> Planes {
        if self == Self::default() {
            return planes;
        }
        Planes {
            extent: self.size(planes.extent),
            luma: self.plane(&planes.luma),
            chroma: planes.chroma.map(|chroma| chroma.map(|plane| self.plane(&plane))),
            coarse: if self.swapped { planes.coarse.turned() } else { planes.coarse },
        }
    }

    pub(crate) fn rgb(self, rgb: Rgb) -> Rgb {
        if self == Self::default() {
            return rgb;
        }
        let (width, height) = self.size((rgb.width, rgb.height));
        Rgb::new(width, height, self.samples::<3>(&rgb.data, rgb.width, rgb.height))
    }

    fn plane(self, plane: &Plane) -> Plane {
        let (width, height) = self.size((plane.width, plane.height));
        let data = self.samples::<1>(&plane.data, plane.width, plane.height).into();
        Plane { width, height, data, levels: plane.levels }
    }

    fn samples<const BYTES: usize>(self, data: &[u8], width: usize, height: usize) -> Vec<u8> {
        let mut turned = Vec::with_capacity(data.len());
        let (columns, rows) = self.size((width, height));
        for row in 0..rows {
            for column in 0..columns {
                let (x, y) = self.size((column, row));
                let x = if self.mirrored.across { width - 1 - x } else { x };
                let y = if self.mirrored.down { height - 1 - y } else { y };
                let at = (y * width + x) * BYTES;
                turned.extend_from_slice(&data[at..at + BYTES]);
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::*;

    #[test]
    fn each_way_to_hold_a_camera_is_put_upright() {
        let data: Vec<u8> = (0..3 * 2 * 3).collect();
        let seen = image::RgbImage::from_raw(3, 2, data.clone()).unwrap();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut expected = DynamicImage::ImageRgb8(seen.clone());
            expected.apply_orientation(orientation);
            let turned = Turn::of(orientation).rgb(Rgb::new(3, 2, data.clone()));
            assert_eq!(
                (turned.width, turned.height),
                (expected.width() as usize, expected.height() as usize),
                "{exif}"
            );
            assert_eq!(turned.data, expected.into_rgb8().into_raw(), "{exif}");
        }
    }
}
