//! Rows below each other, in which nothing lies on anything else.

/// What each row is filled with: pieces, from where to where.
pub(super) struct Rows {
    rows: Vec<Vec<(f64, f64)>>,
    most: usize,
}

impl Rows {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { rows: Vec::new(), most }
    }

    /// The first row with room for a piece, which is then taken; none if all are full.
    pub(super) fn take(&mut self, (from, to): (f64, f64)) -> Option<u32> {
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|(begins, ends)| to < *begins || from > *ends);
        let row = match self.rows.iter().position(free) {
            Some(row) => row,
            None if self.rows.len() < self.most => {
                self.rows.push(Vec::new());
                self.rows.len() - 1
            }
            None => return None,
        };
        self.rows[row].push((from, to));
        u32::try_from(row).ok()
    }

    /// The last row, whatever is there already.
    pub(super) fn last(&mut self, piece: (f64, f64)) -> u32 {
        if let Some(row) = self.rows.last_mut() {
            row.push(piece);
        }
        self.count().saturating_sub(1)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lie_on_something_goes_one_row_down() {
        let mut rows = Rows::new(2);
        let taken = [(0.0, 10.0), (5.0, 20.0), (11.0, 15.0), (8.0, 12.0)].map(|piece| rows.take(piece));
        assert_eq!(taken, [Some(0), Some(1), Some(0), None]);
        assert_eq!((rows.last((8.0, 12.0)), rows.count()), (1, 2));
    }
}
