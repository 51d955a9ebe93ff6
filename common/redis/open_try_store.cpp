#include "common/redis/open_try_store.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace tocsin::redis {
namespace {

constexpr std::size_t kHead = 3;   // what open.lua answers before the tries
constexpr std::size_t kWords = 7;  // of each try

// The opposite of FullName().
v1::TryName NameOf(std::string_view text) {
  v1::TryName name;
  const std::size_t first = text.find('.');
  const std::size_t second = text.rfind('.');
  std::uint32_t step = 0;
  std::uint32_t count = 0;
  std::from_chars(text.data() + first + 1, text.data() + second, step);
  std::from_chars(text.data() + second + 1, text.data() + text.size(), count);
  name.set_alert_id(std::string(text.substr(0, first)));
  name.set_step(step);
  name.set_try_(count);
  return name;
}

bool Parse(google::protobuf::Message& message, std::string_view bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

Result<DueTries> OpenTryStore::Due(v1::Channel channel, WallTime now, std::size_t most) {
  TOCSIN_TRY(const Reply reply,
             server_.Run({.script = OpenScript(),
                          .keys = {server_.keys().Open(channel)},
                          .args = {std::to_string(ToUnixMicros(now)), std::to_string(most),
                                   server_.keys().AlertPrefix()}}));
  DueTries tries{.open = static_cast<std::size_t>(reply.Number(2)), .due = {}};
  for (std::size_t at = kHead; at + kWords <= reply.items.size(); at += kWords) {
    OpenTry open{.name = NameOf(reply.Text(at)),
                 .client_id = std::string(reply.Text(at + 1)),
                 .receipt = {},
                 .ended = reply.Text(at + 3) == "1",
                 .priced = reply.Text(at + 4) == "1",
                 .holds_sid = reply.Text(at + 5) != "1",
                 .work = {}};
    // Without a receipt nothing can be asked: such a try ends unconfirmed, and holds nobody up.
    if (!Parse(open.receipt, reply.Text(at + 2))) open.receipt.Clear();
    v1::WorkRecord work;
    if (!reply.Text(at + 6).empty() && Parse(work, reply.Text(at + 6))) open.work = std::move(work);
    tries.due.push_back(std::move(open));
  }
  return tries;
}

Status OpenTryStore::Note(v1::Channel channel, const v1::TryName& name, const Reconciled& found) {
  TOCSIN_CHECK_OK(server_.Run(
      {.script = NoteScript(),
       .keys = {server_.keys().Alert(name.alert_id()), server_.keys().Open(channel)},
       .args = {FieldsOf(name), FullName(name), found.ended ? "1" : "0", found.priced ? "1" : "0",
                found.again ? std::to_string(ToUnixMicros(*found.again)) : std::string()}}));
  return {};
}

}  // namespace tocsin::redis
