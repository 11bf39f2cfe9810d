//! Tallies, read by their time.

use super::{CHUNK, StoreLibrary, part};
use crate::domain::measure::Measured;
use crate::domain::time::Timestamp;
use crate::engine::ports::{RangeRead, RowKey, StoreError};
use crate::store::keys;
use crate::store::record::measured_of;

impl StoreLibrary {
    /// The tallies of the quarters from `from` to before `to`.
    pub(super) async fn tallies(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Measured>, StoreError> {
        let table = keys::MEASURE;
        let end = Some(keys::instant(to).to_vec().into());
        let start = keys::instant(from).to_vec().into();
        let mut read = RangeRead { table, start, end, reverse: false, limit: CHUNK };
        let mut all = Vec::new();
        loop {
            let rows = self.rows.range(read.clone()).await?;
            let full = rows.len() == CHUNK;
            for (key, value) in rows {
                let place = part(table, &key, keys::measure_of)?;
                read.start = keys::behind(&key);
                all.push(measured_of(&RowKey { table, key }, place, &value)?);
            }
            if !full {
                return Ok(all);
            }
        }
    }
}
