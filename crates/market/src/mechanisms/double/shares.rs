//! Shares out units: better claims trade in full, those at the margin in proportion.

use std::cmp::Reverse;

use quorate_types::{Hash, Price};

/// The units that one seller, or one requester, wants to trade at one price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// The order of claims, the lesser first: the ask, or the negated bid.
    pub rank: Price,
    /// The number of units that it wants to trade.
    pub units: usize,
    /// Decides between equal remainders: the lesser key wins.
    pub key: Hash,
}

/// Returns the units of each claim that trade: `count` in all, or all units if there are fewer.
pub(super) fn shares(claims: &[Claim], count: usize) -> Vec<usize> {
    let rank = |at: usize| claims[at].rank;
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|&at| rank(at));

    let mut shares = vec![0; claims.len()];
    let mut left = count;

    for equals in order.chunk_by(|&one, &other| rank(one) == rank(other)) {
        let units: usize = equals.iter().map(|&at| claims[at].units).sum();

        if units > left {
            // The margin: these claims share the units that are left.
            share_out(claims, equals, left, &mut shares);
            break;
        }

        // Better claims trade in full.
        for &at in equals {
            shares[at] = claims[at].units;
        }
        left -= units;
    }

    shares
}

/// Shares `seats` out among `equals`, which want more than that, by the largest remainder.
fn share_out(claims: &[Claim], equals: &[usize], seats: usize, shares: &mut [usize]) {
    let units = |at: usize| claims[at].units as u128;
    let total: u128 = equals.iter().map(|&at| units(at)).sum();

    // A claim's exact share is this product, divided by the total.
    let product = |at: usize| units(at) * seats as u128;
    let mut left = seats;

    for &at in equals {
        // At most the claim's own units, because there are fewer seats than units.
        let share = (product(at) / total) as usize;
        shares[at] = share;
        left -= share;
    }

    // The seats that rounding down left over go to the largest remainders.
    let mut order = equals.to_vec();
    order.sort_by_key(|&at| {
        let remainder = product(at) % total;
        (Reverse(remainder), claims[at].key)
    });

    // There are fewer of these seats than claims, since each remainder is less than a seat.
    for &at in order.iter().take(left) {
        shares[at] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(of: &[(Price, usize)]) -> Vec<Claim> {
        let claim = |(at, (rank, units)): (usize, &(Price, usize))| Claim {
            rank: *rank,
            units: *units,
            key: Hash([at as u8; 32]),
        };
        of.iter().enumerate().map(claim).collect()
    }

    #[test]
    fn the_better_trade_in_full_and_the_margin_by_the_largest_remainder() {
        type Row<'a> = (&'a [(Price, usize)], usize, &'a [usize]);
        let table: [Row<'_>; 7] = [
            (&[(1, 2), (2, 3)], 2, &[2, 0]),
            (&[(2, 3), (1, 2)], 4, &[2, 2]),
            // 7 of 10: 2.1, 2.1 and 2.8.
            (&[(5, 3), (5, 3), (5, 4)], 7, &[2, 2, 3]),
            // 5 of 9: 1.67 each, and the lesser keys get two.
            (&[(5, 3), (5, 3), (5, 3)], 5, &[2, 2, 1]),
            (&[(5, 1), (5, 9)], 9, &[1, 8]),
            (&[(1, 2), (2, 3)], 9, &[2, 3]),
            (&[], 3, &[]),
        ];
        for (of, count, expected) in table {
            assert_eq!(shares(&claims(of), count), expected, "{of:?} {count}");
        }
    }
}
