//! What people are asked on a card: the question, what silence means, the box for the reason, the buttons.

use serde_json::{Value, json};

use super::block::{date, first, outside, plain, section, total};
use super::button::{self, LONGEST_WHY, is_offer};
use crate::{
    approval::Choice,
    chat::release_card::{CardOffer, ReleaseCard},
};

/// All texts of a card's offers. Three of the longest fit, without what lies ahead: that takes what they leave.
const OFFERS: usize = 3_900;
/// What lies ahead, of one offer.
const AHEAD: usize = 1_800;
/// One sentence of it.
const SENTENCE: usize = 700;
/// How many offers a card shows; each has three blocks.
const MOST: usize = 8;
const QUESTION: usize = 350;
const SILENCE: usize = 250;

/// The blocks of all offers, as far as there is room: of what is asked, and of what may be done at any time.
pub(super) fn offers(card: &ReleaseCard) -> (Vec<Value>, Vec<Value>) {
    let (mut asked, mut standing, mut used, mut fitting) = (Vec::new(), Vec::new(), 0, Vec::new());
    for (n, offer) in card.offers.iter().enumerate().take(MOST) {
        let own = self::offer(card, offer, n);
        let length = own.iter().map(total).sum::<usize>();
        if used + length > OFFERS {
            break;
        }
        used += length;
        fitting.push((offer, own));
    }
    let shown = fitting.len();
    for (offer, mut own) in fitting {
        if let Some(ahead) = ahead(offer, AHEAD.min(OFFERS - used)) {
            used += total(&ahead);
            // Between the question and the answers to it.
            own.insert(own.len().min(1), ahead);
        }
        if offer.question.is_some() { asked.extend(own) } else { standing.extend(own) }
    }
    let rest = card.offers.len() - shown;
    if rest > 0 {
        asked.push(section(&format!("… and {rest} more to answer, when these are answered.")));
    }
    (asked, standing)
}

/// What lies ahead of whoever lets it go on, as far as there is room.
fn ahead(offer: &CardOffer, room: usize) -> Option<Value> {
    // For the line that counts what is left out.
    const REST: usize = 30;
    offer.question.as_ref()?;
    let lines: Vec<String> =
        offer.ahead.iter().map(|sentence| format!("• {}", outside(sentence, SENTENCE))).collect();
    let budget = room.checked_sub(REST).filter(|budget| *budget > 0 && !lines.is_empty())?;
    Some(section(&first(lines, budget).join("\n")))
}

fn offer(card: &ReleaseCard, offer: &CardOffer, n: usize) -> Vec<Value> {
    let mut words = Vec::new();
    if let Some(question) = &offer.question {
        words.push(format!("*{}*", outside(question, QUESTION)));
    }
    if let Some((by, what)) = &offer.silence {
        words.push(format!("Without an answer by {}, {}", date(*by), outside(what, SILENCE)));
    }
    let mut blocks = Vec::new();
    if !words.is_empty() {
        blocks.push(section(&words.join("\n")));
    }
    let mut choices: Vec<Choice> = Vec::new();
    for choice in &offer.choices {
        // What a button is called is unique in a message.
        if !choices.contains(choice) {
            choices.push(*choice);
        }
    }
    // An id that would be refused when it comes back gets no button.
    if choices.is_empty() || !is_offer(&offer.id) {
        return blocks;
    }
    // The offer's id is part of the block's: what somebody typed must not move to another question when the card is
    // drawn anew.
    if offer.reason_box {
        blocks.push(json!({
            "type": "input",
            "block_id": format!("{}/{}", button::why(n), offer.id),
            "optional": true,
            "label": plain("Reason"),
            "element": {
                "type": "plain_text_input",
                "action_id": button::why(n),
                "max_length": LONGEST_WHY,
                "placeholder": plain("What you saw"),
            },
        }));
    }
    let buttons: Vec<Value> = choices.iter().map(|choice| button(card, offer, *choice, n)).collect();
    blocks.push(json!({
        "type": "actions",
        "block_id": format!("belay/offer/{n}/{}", offer.id),
        "elements": buttons,
    }));
    blocks
}

fn button(card: &ReleaseCard, offer: &CardOffer, choice: Choice, n: usize) -> Value {
    let mut button = json!({
        "type": "button",
        "action_id": button::button(choice, n),
        "text": plain(choice.label()),
        "value": offer.id,
    });
    let style = match choice {
        // What may be done at any time does not shout: only a question does.
        _ if offer.question.is_none() => None,
        Choice::Approve | Choice::Keep => Some("primary"),
        Choice::RollBack | Choice::Reject | Choice::Halt => Some("danger"),
        Choice::Extend | Choice::Retry => None,
    };
    if let Some(style) = style {
        button["style"] = Value::from(style);
    }
    let (service, release) = (outside(&card.service, 60), outside(&card.release, 80));
    let asked = match choice {
        Choice::RollBack => Some(format!("Belay takes {release} of {service} back.")),
        Choice::Halt => Some(format!("Belay stops {release} of {service} where it is, without going back.")),
        Choice::Keep | Choice::Extend | Choice::Approve | Choice::Reject | Choice::Retry => None,
    };
    if let Some(asked) = asked {
        button["confirm"] = json!({
            "title": plain(&format!("{}?", choice.label())),
            "text": plain(&asked),
            "confirm": plain(choice.label()),
            "deny": plain("Cancel"),
            "style": "danger",
        });
    }
    button
}
