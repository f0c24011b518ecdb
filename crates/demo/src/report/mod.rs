//! The report of a demo run: one value that is written as `report.json` and as one HTML page.
//!
//! The page is a single file. It holds no script, loads nothing over a network, follows the
//! reader's light or dark setting, and prints. Its content security policy forbids everything that
//! it does not need, so that even text that was left unescaped by mistake could neither load nor
//! run anything. The same report always gives the same bytes.
//!
//! - [`DemoReport`] and its parts are the data, under the names of `report.json`;
//! - `story` tells what happened in sentences, `map` and `timeline` draw it, `tables` list it;
//! - `projection` is the geometry, `labels` places words, `html` has tables and sections, and
//!   `svg` has the numbers of drawings.
//!
//! **Absent here:** clocks, files, sockets, randomness. Floats serve for drawing only.

mod data;
mod html;
mod labels;
mod map;
mod projection;
mod story;
mod svg;
mod tables;
mod tile;
mod timeline;
mod trading;

pub use data::{
    Agent, Assignment, DemoReport, Ended, GeoPoint, Height, Refusal, Stop, Summary, Task,
    TaskState, Validator,
};
pub use trading::{Bar, Collusion, Fill, Mechanism, Order, Trading};

use html::{Section, duration};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tile::Tile;

/// The content security policy of the page: it may use its own style and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl DemoReport {
    /// Returns the whole page as HTML5.
    pub fn to_html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (self.head())
                body {
                    (self.header())
                    main { (self.sections()) }
                    (self.footer())
                }
            }
        };

        page.into_string() + "\n"
    }

    fn head(&self) -> Markup {
        let style = include_str!("style.css").to_owned();
        // Nothing in the style is text from outside.
        let style = PreEscaped(style + &map::highlight_rules(self.agents.len()));

        html! {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (self.title) }
                style { (style) }
            }
        }
    }

    fn header(&self) -> Markup {
        let validators = self.validators.len();
        let agents = self.agents.len();

        html! {
            header {
                p class="brand" { "Quorate " span { "run report" } }
                h1 { (self.title) }
                p class="meta" {
                    (self.started) " · " (duration(self.duration_ms)) " · "
                    (validators) " validators, " (agents) " " (self.noun()) "s"
                }
                ul class="tiles" {
                    @for tile in self.tiles() { (tile) }
                }
                dl class="swarm" {
                    div { dt { "Swarm" } dd { code { (self.swarm_id) } } }
                    div {
                        dt { "Fingerprint of the trust root" }
                        dd { code { (self.fingerprint) } }
                    }
                }
            }
        }
    }

    fn sections(&self) -> Markup {
        html! {
            (Section {
                id: "happened",
                title: "What happened",
                lead: "",
                body: story::list(self),
            })
            @match &self.trading {
                Some(trading) => { (trading::sections(self, trading)) }
                None => { (self.map()) }
            }
            (Section {
                id: "timeline",
                title: "Rounds and awards",
                lead: "Above, the blocks that each validator built. Below, the leases that each \
                       agent held, from award to end.",
                body: timeline::figure(self),
            })
            (tables::sections(self))
        }
    }

    fn map(&self) -> Section {
        Section {
            id: "map",
            title: "Who flew what",
            lead: "Dots are tasks, in the colour of the drone that completed them; lines are \
                   flown paths. Point at a drone to see it alone.",
            body: map::figure(self),
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer {
                p {
                    "This page shows what the run reports about itself, and proves nothing. The \
                     certificates are the proof: check them with "
                    code { (self.verify_command()) } "."
                }
            }
        }
    }

    /// Returns the command that checks every certificate, to be run in the run folder.
    pub fn verify_command(&self) -> String {
        format!(
            "quorate audit verify {}/* --trust {}",
            self.certificate_dir, self.trust_root
        )
    }

    /// Returns the counts of the run: first those of its tasks.
    fn tiles(&self) -> Vec<Tile> {
        let mut tiles = match &self.trading {
            Some(trading) => trading::tiles(trading),
            None => vec![self.summary.completed_tile()],
        };

        tiles.extend(self.summary.tiles());
        tiles
    }
}

impl Summary {
    fn completed_tile(&self) -> Tile {
        Tile::part("tasks completed", self.completed, self.tasks)
    }

    /// Returns the tiles that follow those of the tasks.
    fn tiles(&self) -> Vec<Tile> {
        let verified = self.certificates_verified;
        let mut tiles = vec![
            Tile::part("certificates verified", verified, self.certificates),
            Tile::part("auctions run again", self.auctions_replayed, self.auctions),
            Tile::number("bids refused", self.refused_bids),
        ];

        // Only the drone demonstration kills and reassigns.
        if let Some(killed) = self.killed_drones {
            tiles.push(Tile::number("reassigned", self.reassigned));
            tiles.push(Tile::number("drones killed", killed));
            tiles.push(Tile::number("validators killed", self.killed_validators));
        }

        tiles.push(Tile::number("heights decided", self.heights));

        tiles
    }
}
