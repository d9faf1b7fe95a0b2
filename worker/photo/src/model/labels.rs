//! What a model's classes are called, what else they are called, and what they are kinds of.

use super::ModelError;

/// One class of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) synonyms: Vec<String>,
    /// What it is a kind of, the nearest first.
    pub(super) broader: Vec<String>,
}

/// The classes of a model, in its order.
#[derive(Debug)]
pub(super) struct Labels(Vec<Label>);

impl Labels {
    /// Reads a table: index, id, label, synonyms, broader terms; separated by tabs, a heading first.
    pub(super) fn parse(text: &str) -> Result<Self, ModelError> {
        let mut labels = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let mut columns = line.split('\t');
            let index = columns.next().and_then(|index| index.trim().parse::<usize>().ok());
            let (Some(index), Some(_), Some(label)) = (index, columns.next(), columns.next()) else {
                return Err(ModelError::Labels(format!("line {} has no index, id and label", number + 1)));
            };
            if index != labels.len() {
                return Err(ModelError::Labels(format!(
                    "line {} has index {index}, expected {}",
                    number + 1,
                    labels.len()
                )));
            }
            labels.push(Label {
                name: label.trim().to_owned(),
                synonyms: list(columns.next()),
                broader: list(columns.next()),
            });
        }
        Ok(Self(labels))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the label of a class. The index must be below `len`.
    pub(super) fn get(&self, index: usize) -> &Label {
        &self.0[index]
    }
}

fn list(column: Option<&str>) -> Vec<String> {
    let parts = column.unwrap_or_default().split(',');
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_a_broken_line_is_named() {
        let labels = Labels::parse(
            "index\twnid\tlabel\tsynonyms\tbroader\n0\tn1\ttench\ttench, Tinca\tfish, animal\n1\tn2\teft\n",
        );
        let labels = labels.unwrap();
        assert_eq!(labels.get(0).broader, ["fish", "animal"]);
        assert_eq!(labels.get(1).synonyms, [""; 0]);
        for (broken, line) in [("h\n0\tn\n", "line 2"), ("h\n0\tn\ta\n2\tn\tb\n", "line 3"), ("h\nx\tn\ta\n", "line 2")]
        {
            assert!(Labels::parse(broken).unwrap_err().to_string().contains(line));
        }
    }
}
