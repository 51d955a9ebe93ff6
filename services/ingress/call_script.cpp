#include "services/ingress/call_script.h"

#include "common/twilio/callback_link.h"
#include "common/twilio/twiml.h"

namespace tocsin::ingress {
namespace {

twilio::SpokenAgain WhyAgain(const CallTurn& turn) {
  if (turn.round == 0) return twilio::SpokenAgain::kFirstTime;
  if (turn.key == CallKey::kRepeat) return twilio::SpokenAgain::kAsked;
  return turn.key == CallKey::kNone ? twilio::SpokenAgain::kNoKey
                                    : twilio::SpokenAgain::kUnknownKey;
}

}  // namespace

unsigned RoundOf(std::string_view target) {
  const size_t at = target.find(twilio::kRoundQuery);
  if (at == std::string_view::npos || target.size() != at + twilio::kRoundQuery.size() + 1)
    return kMaxCallRounds;
  const char digit = target.back();
  if (digit < '1' || digit > '0' + static_cast<char>(kMaxCallRounds)) return kMaxCallRounds;
  return static_cast<unsigned>(digit - '0');
}

bool NeedsText(const CallTurn& turn) {
  return turn.round == 0 || ReplyTo(turn.key, turn.round) == CallReply::kAgain;
}

Result<std::string> Script(const CallTurn& turn, const v1::WorkRecord& work, Vault& vault,
                           std::string_view public_base_url) {
  if (!NeedsText(turn)) return twilio::ConfirmKey(work.spoken(), turn.key);
  TOCSIN_TRY(const Pii opened, vault.Open({work.client_id(), work.try_().alert_id(), "content"},
                                          work.key(), work.content()));
  v1::Content content;
  if (!content.ParseFromString(opened.Reveal()))
    return Fail(ErrorCode::kCorrupt, "the text of a call cannot be read");
  return twilio::SayAlert(work.spoken(), content.text(),
                          twilio::KeysLink(public_base_url, turn.token, turn.trace, turn.round + 1),
                          WhyAgain(turn));
}

}  // namespace tocsin::ingress
