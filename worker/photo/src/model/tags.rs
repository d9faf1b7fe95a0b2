//! From probabilities to tags: classes that share a broader term are added up into it before the threshold, because a
//! model splits what it sees over siblings (a cat is 0.39 tabby, 0.36 Egyptian cat, 0.17 tiger cat, and 0.9 cat).

use std::collections::{BTreeMap, BTreeSet};

use super::{Tag, Tagged, labels::Labels, words};

/// A broader term is shown where it is surer than every class below it by this much; else it says nothing new.
const GAIN: f32 = 0.05;
/// Broader terms whose probability differs by less are one chain of names for the same thing.
const SAME: f32 = 0.03;

/// Returns the tags of a photo, the surest first, and the words by which it is found.
pub(super) fn of(labels: &Labels, probabilities: &[f32], threshold: f32, max_tags: usize) -> Tagged {
    let mut broader: BTreeMap<&str, Broader> = BTreeMap::new();
    let mut tags = Vec::new();
    let mut terms = BTreeSet::new();
    for (index, probability) in probabilities.iter().copied().enumerate().filter(|(_, probability)| *probability > 0.0)
    {
        let label = labels.get(index);
        for (distance, term) in label.broader.iter().enumerate() {
            broader.entry(term).or_default().add(probability, distance);
        }
        if probability >= threshold {
            tags.push(Tag { label: label.name.clone(), score: probability });
            let names = label.synonyms.iter().chain([&label.name]);
            terms.extend(names.flat_map(|name| words(name)));
        }
    }
    let accepted = broader.iter().filter(|(_, term)| term.sum >= threshold);
    terms.extend(accepted.clone().flat_map(|(name, _)| words(name)));
    tags.extend(informative(accepted, &tags));
    tags.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.label.cmp(&b.label)));
    tags.truncate(max_tags);
    Tagged { tags, terms: terms.into_iter().collect() }
}

#[derive(Default)]
struct Broader {
    sum: f32,
    best: f32,
    /// How near the term is to the nearest class below it.
    distance: usize,
    classes: usize,
}

impl Broader {
    fn add(&mut self, probability: f32, distance: usize) {
        self.sum += probability;
        self.best = self.best.max(probability);
        self.distance = if self.classes == 0 { distance } else { self.distance.min(distance) };
        self.classes += 1;
    }
}

/// Chooses the broader terms that say something new: of each chain (domestic cat, cat, feline, carnivore, ...) the one
/// with the plainest name, which is the shortest of those near the classes.
fn informative<'a>(accepted: impl Iterator<Item = (&'a &'a str, &'a Broader)>, shown: &[Tag]) -> Vec<Tag> {
    /// Farther terms (vertebrate, animal, artifact) are too broad to be shown; they are found all the same.
    const NEAR: usize = 4;
    let mut candidates: Vec<(&str, f32)> = accepted
        .filter(|(name, term)| {
            term.distance < NEAR && term.sum >= term.best + GAIN && shown.iter().all(|tag| tag.label != **name)
        })
        .map(|(name, term)| (*name, term.sum.min(1.0)))
        .collect();
    candidates.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut chosen: Vec<Tag> = Vec::new();
    for chain in candidates.chunk_by(|a, b| (a.1 - b.1).abs() < SAME) {
        let plainest = chain.iter().min_by_key(|(name, _)| (name.chars().count(), *name));
        chosen.extend(plainest.map(|(name, score)| Tag { label: (*name).to_owned(), score: *score }));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels::parse(
            "index\tid\tlabel\tsynonyms\tbroader\n\
             0\ta\ttabby cat\ttabby\tdomestic cat, cat, feline, animal\n\
             1\tb\tEgyptian cat\tEgyptian cat\tdomestic cat, cat, feline, animal\n\
             2\tc\tespresso\tespresso\tcoffee, beverage\n",
        )
        .unwrap()
    }

    fn shown(probabilities: &[f32]) -> Vec<String> {
        of(&labels(), probabilities, 0.1, 5).tags.into_iter().map(|tag| tag.label).collect()
    }

    #[test]
    fn siblings_are_added_up_into_the_plainest_broader_term() {
        assert_eq!(shown(&[0.4, 0.36, 0.0]), ["cat", "tabby cat", "Egyptian cat"]);
        assert_eq!(shown(&[0.06, 0.07, 0.0]), ["cat"]);
    }

    #[test]
    fn a_broader_term_that_adds_nothing_is_found_but_not_shown() {
        let tagged = of(&labels(), &[0.0, 0.0, 0.95], 0.1, 5);
        assert_eq!(tagged.tags.len(), 1);
        assert_eq!(tagged.terms, ["beverage", "coffee", "espresso"]);
    }

    #[test]
    fn nothing_above_the_threshold_is_no_tag() {
        assert_eq!(of(&labels(), &[0.01, 0.02, 0.03], 0.1, 5), Tagged { tags: Vec::new(), terms: Vec::new() });
    }

    #[test]
    fn no_more_tags_than_asked_for() {
        assert_eq!(of(&labels(), &[0.4, 0.36, 0.2], 0.1, 2).tags.len(), 2);
    }
}
