//! What light the levels of a very bright picture (PQ, HLG: ITU-R BT.2100) stand for, and how that is shown on a screen of the usual kind.

/// Transfers by their codes (ITU-T H.273).
pub(super) const SRGB: u16 = 13;
const PQ: u16 = 16;
const HLG: u16 = 18;

/// What white paper has in such a picture, in candela per square metre.
const WHITE: f32 = 203.0;
/// Up to this part of white, light stays as it is; all above comes to lie between this and the screen's white, the brighter the closer.
const KNEE: f32 = 0.7;

/// Tells whether levels stand for more light than a usual screen gives.
pub(super) fn is_very_bright(transfer: u16) -> bool {
    matches!(transfer, PQ | HLG)
}

/// Returns the level in sRGB's transfer (0 to 1) that shows the light that a level stands for.
pub(super) fn on_a_screen(level: f32, transfer: u16) -> f32 {
    match transfer {
        PQ => to_srgb(dimmed(pq(level) / WHITE)),
        HLG => to_srgb(dimmed(hlg(level) / WHITE)),
        _ => level,
    }
}

fn pq(level: f32) -> f32 {
    let [m1, m2] = [2610.0 / 16384.0, 2523.0 / 4096.0 * 128.0];
    let [c1, c2, c3] = [3424.0 / 4096.0, 2413.0 / 4096.0 * 32.0, 2392.0 / 4096.0 * 32.0];
    let root: f32 = level.powf(1.0 / m2);
    10_000.0 * ((root - c1).max(0.0) / (c2 - c3 * root)).powf(1.0 / m1)
}

/// On a screen of 1,000 candela per square metre.
fn hlg(level: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    let scene: f32 = if level <= 0.5 { level * level / 3.0 } else { (((level - c) / a).exp() + b) / 12.0 };
    1000.0 * scene.powf(1.2)
}

fn dimmed(light: f32) -> f32 {
    if light <= KNEE { light } else { KNEE + (1.0 - KNEE) * (1.0 - (-(light - KNEE) / (1.0 - KNEE)).exp()) }
}

fn to_srgb(light: f32) -> f32 {
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_is_as_white_in_both_and_nothing_is_brighter_than_the_screen() {
        let level = |transfer, level| on_a_screen(level, transfer);
        // 203 candela per square metre are these levels (ITU-R BT.2408).
        let [in_pq, in_hlg] = [level(PQ, 0.58), level(HLG, 0.75)];
        assert!((in_pq - in_hlg).abs() < 0.01, "{in_pq} {in_hlg}");
        assert!(in_pq > 0.93 && in_pq < 0.97, "{in_pq}");
        for transfer in [PQ, HLG, SRGB] {
            let shown: Vec<f32> = (0..=255_u8).map(|at| level(transfer, f32::from(at) / 255.0)).collect();
            assert!(shown.is_sorted() && shown[0].abs() < 1e-3 && shown[255] <= 1.0, "{transfer}: {shown:?}");
        }
    }
}
