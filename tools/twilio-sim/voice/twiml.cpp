#include "tools/twilio-sim/voice/twiml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "common/domain/message/segments.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kWhitespace = " \t\r\n";

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kWhitespace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kWhitespace) - begin + 1);
}

bool IsNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == ':' ||
         c == '.';
}

// XML 1.0, production 2.
bool IsXmlCharacter(unsigned long code) {
  const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\r';
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return !control && !surrogate && code != 0xFFFE && code != 0xFFFF && code <= 0x10FFFF;
}

// `text` is valid UTF-8, so it contains no surrogates.
bool HoldsOnlyXmlCharacters(std::string_view text) {
  const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && !IsXmlCharacter(byte);
  });
  return !controls && text.find("\xEF\xBF\xBE") == std::string_view::npos &&
         text.find("\xEF\xBF\xBF") == std::string_view::npos;
}

// The character of a code point as UTF-8, if XML allows it.
std::optional<std::string> Utf8Of(unsigned long code) {
  if (!IsXmlCharacter(code)) return std::nullopt;
  const auto byte = [](unsigned long bits) { return static_cast<char>(bits); };
  if (code < 0x80) return std::string{byte(code)};
  if (code < 0x800) return std::string{byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
  if (code < 0x10000) {
    return std::string{byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)),
                       byte(0x80 | (code & 0x3F))};
  }
  return std::string{byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)),
                     byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
}

// Parses one XML document. Every member returns false if it is not well-formed.
class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text) {}

  bool Document(Verb& root) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    return SkipMisc() && Element(root, 1) && SkipMisc() && rest_.empty();
  }

 private:
  bool Consume(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void SkipWhitespace() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kWhitespace), rest_.size()));
  }
  bool SkipPast(std::string_view end) {
    const size_t at = rest_.find(end);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + end.size());
    return true;
  }

  // Comments, processing instructions and whitespace between elements.
  bool SkipMisc() {
    while (true) {
      SkipWhitespace();
      if (Consume("<!--")) {
        if (!SkipPast("-->")) return false;
      } else if (Consume("<?")) {
        if (!SkipPast("?>")) return false;
      } else {
        return true;
      }
    }
  }

  bool Name(std::string& name) {
    size_t length = 0;
    while (length < rest_.size() && IsNameChar(rest_[length])) ++length;
    name = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return length > 0 && std::isdigit(static_cast<unsigned char>(name[0])) == 0;
  }

  bool Entity(std::string& out) {
    constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
        {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
    for (const auto& [name, meaning] : kNamed) {
      if (Consume(name)) {
        out += meaning;
        return true;
      }
    }
    if (!Consume("&#")) return false;
    const int base = Consume("x") ? 16 : 10;
    unsigned long code = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), code, base);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    const auto character = Utf8Of(code);
    if (!character || !Consume(";")) return false;
    out += *character;
    return true;
  }

  bool Attribute(Verb& verb) {
    std::string name;
    if (!Name(name)) return false;
    SkipWhitespace();
    if (!Consume("=")) return false;
    SkipWhitespace();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '"' && quote != '\'') return false;
    rest_.remove_prefix(1);
    std::string value;
    while (!rest_.empty() && rest_[0] != quote) {
      if (rest_[0] == '<') return false;
      if (rest_[0] == '&') {
        if (!Entity(value)) return false;
        continue;
      }
      value += rest_[0];
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return verb.attributes.emplace(std::move(name), std::move(value))
        .second;  // false for a duplicate
  }

  // The content of an element and its end tag.
  bool Content(Verb& verb, int depth) {
    while (!rest_.empty()) {
      if (Consume("</")) {
        std::string name;
        if (!Name(name) || name != verb.name) return false;
        SkipWhitespace();
        return Consume(">");
      }
      if (Consume("<!--")) {
        if (!SkipPast("-->")) return false;
      } else if (Consume("<![CDATA[")) {
        const size_t end = rest_.find("]]>");
        if (end == std::string_view::npos) return false;
        verb.text += rest_.substr(0, end);
        rest_.remove_prefix(end + 3);
      } else if (Consume("<?")) {
        if (!SkipPast("?>")) return false;
      } else if (rest_[0] == '<') {
        Verb& inner = verb.nested.emplace_back();
        if (!Element(inner, depth + 1)) return false;
        verb.text += inner.text;
      } else if (rest_[0] == '&') {
        if (!Entity(verb.text)) return false;
      } else {
        verb.text += rest_[0];
        rest_.remove_prefix(1);
      }
    }
    return false;
  }

  bool Element(Verb& verb, int depth) {
    if (depth > kMaxTwimlDepth || !Consume("<") || !Name(verb.name)) return false;
    while (true) {
      const bool whitespace =
          !rest_.empty() && kWhitespace.find(rest_[0]) != std::string_view::npos;
      SkipWhitespace();
      if (Consume("/>")) return true;
      if (Consume(">")) return Content(verb, depth);
      if (!whitespace || !Attribute(verb)) return false;
    }
  }

  std::string_view rest_;
};

void TrimAll(Verb& verb) {
  verb.text = Trimmed(verb.text);
  for (Verb& inner : verb.nested) TrimAll(inner);
}

}  // namespace

std::string Verb::Attribute(const std::string& wanted, const std::string& otherwise) const {
  const auto found = attributes.find(wanted);
  return found == attributes.end() ? otherwise : found->second;
}

tl::expected<std::vector<Verb>, int> ParseTwiml(std::string_view text) {
  if (text.size() > kMaxTwiml) return tl::unexpected(kTwimlTooLarge);
  Verb root;
  if (!IsValidUtf8(text) || !HoldsOnlyXmlCharacters(text) || !XmlReader(text).Document(root) ||
      root.name != "Response") {
    return tl::unexpected(kTwimlParseError);
  }
  TrimAll(root);
  return std::move(root.nested);
}

}  // namespace tocsin::sim
