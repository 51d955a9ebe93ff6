#include "common/postgres/session.h"

#include <charconv>
#include <cstdlib>
#include <pqxx/pqxx>
#include <utility>

#include "common/base/encoding.h"

namespace tocsin::postgres {
namespace {

// PostgreSQL names the constraint in its message; the details, which hold values, are left out.
std::string ConstraintIn(std::string_view message) {
  constexpr std::string_view kMark = "constraint \"";
  const size_t begin = message.find(kMark);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = message.substr(begin + kMark.size());
  return std::string(rest.substr(0, rest.find('"')));
}

// Classes of SQLSTATE (PostgreSQL, appendix A) that say nothing about the data: connection,
// resources, operator's intervention, system error, deadlock and serialization, lock time-out, disk
// full.
bool IsPassing(std::string_view state) {
  for (const std::string_view prefix : {"08", "40", "53", "55", "57", "58"})
    if (state.starts_with(prefix)) return true;
  return state == "25006";  // read-only: a standby that was not promoted yet
}

Error ToError(const pqxx::sql_error& caught) {
  const std::string& state = caught.sqlstate();
  const std::string_view message = caught.what();
  if (state.empty() || IsPassing(state))
    return Error{.code = ErrorCode::kPostgresUnavailable,
                 .message = "PostgreSQL cannot do this now (SQLSTATE " + state + ")"};
  std::string text = "PostgreSQL refused a statement (SQLSTATE " + state + ")";
  if (const std::string constraint = ConstraintIn(message); !constraint.empty())
    text += ", constraint " + constraint;
  if (state.starts_with(
          "42"))  // a fault of the schema or of our SQL: its first line holds no values
    text += ": " + std::string(message.substr(0, message.find('\n')));
  const bool data = state.starts_with("22") || state.starts_with("23");
  return Error{.code = data ? ErrorCode::kCorrupt : ErrorCode::kInternal,
               .message = std::move(text)};
}

// Runs `work` and turns whatever it throws into an error.
template <typename Work>
auto Guard(Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const pqxx::in_doubt_error&) {
    return Fail(ErrorCode::kPostgresUnavailable, "the connection broke while committing");
  } catch (const pqxx::broken_connection&) {
    return Fail(ErrorCode::kPostgresUnavailable, "no connection to PostgreSQL");
  } catch (const pqxx::sql_error& caught) {
    return Fail(ToError(caught));
  } catch (const std::exception& caught) {
    // Misuse of the library. Its texts may hold values, so only the kind is told.
    return Fail(ErrorCode::kInternal, std::string("PostgreSQL client: ") + typeid(caught).name());
  }
}

// libpq takes a URI or key=value pairs; both take further settings at the end.
std::string WithLimits(const std::string& url, const std::string& application) {
  const std::string settings[] = {
      "connect_timeout=" + std::to_string(kConnectLimit.count()),
      "tcp_user_timeout=" + std::to_string(std::chrono::milliseconds(kSilenceLimit).count()),
      "application_name=" + application};
  const bool is_uri = url.find("://") != std::string::npos;
  std::string text = url;
  for (const std::string& setting : settings) {
    if (is_uri) {
      text += text.find('?') == std::string::npos ? '?' : '&';
    } else {
      text += ' ';
    }
    text += setting;
  }
  return text;
}

}  // namespace

struct Rows::Parts {
  pqxx::result result;
};

size_t Rows::size() const { return parts_->result.size(); }
size_t Rows::affected() const { return parts_->result.affected_rows(); }

bool Rows::IsNull(size_t row, size_t column) const {
  return parts_
      ->result[static_cast<pqxx::row_size_type>(row)][static_cast<pqxx::row_size_type>(column)]
      .is_null();
}

std::string_view Rows::Text(size_t row, size_t column) const {
  const pqxx::field field =
      parts_
          ->result[static_cast<pqxx::row_size_type>(row)][static_cast<pqxx::row_size_type>(column)];
  return {field.c_str(), field.size()};
}

std::optional<std::int64_t> Rows::OptionalInteger(size_t row, size_t column) const {
  if (IsNull(row, column)) return std::nullopt;
  const std::string_view text = Text(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    std::abort();  // not a number column
  return value;
}

std::int64_t Rows::Integer(size_t row, size_t column) const {
  return OptionalInteger(row, column).value_or(0);
}

bool Rows::Boolean(size_t row, size_t column) const { return Text(row, column) == "t"; }

std::string Rows::Bytes(size_t row, size_t column) const {
  std::string_view text = Text(row, column);
  if (text.starts_with("\\x")) text.remove_prefix(2);
  return HexDecode(text).value_or("");
}

namespace {
constexpr size_t kGuessedValueBytes = 24;
}

RowArrays::RowArrays(size_t columns, size_t expected) : columns_(columns) {
  for (std::string& column : columns_) {
    column.reserve(expected * kGuessedValueBytes);
    column += '{';
  }
}

std::string& RowArrays::Next() {
  std::string& column = columns_[next_];
  if (rows_ > 0) column += ',';
  if (++next_ == columns_.size()) {
    next_ = 0;
    ++rows_;
  }
  return column;
}

RowArrays& RowArrays::Add(std::string_view text) {
  std::string& column = Next();
  column += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') column += '\\';
    if (c != '\0') column += c;  // PostgreSQL's text cannot hold it
  }
  column += '"';
  return *this;
}

RowArrays& RowArrays::Add(std::int64_t number) {
  Next() += std::to_string(number);
  return *this;
}

RowArrays& RowArrays::AddHex(std::string_view bytes) {
  std::string& column = Next();
  column += '"';
  column += HexEncode(bytes);
  column += '"';
  return *this;
}

RowArrays& RowArrays::AddNull() {
  Next() += "NULL";
  return *this;
}

std::vector<Value> RowArrays::Parameters() && {
  if (next_ != 0) std::abort();  // a row lacks columns
  std::vector<Value> parameters;
  for (std::string& column : columns_) {
    column += '}';
    parameters.emplace_back(std::move(column));
  }
  return parameters;
}

std::string& CopyRows::Next() {
  if (!std::exchange(first_, false)) line_ += '\t';
  return line_;
}

CopyRows& CopyRows::Add(std::string_view text) {
  std::string& line = Next();
  for (const char c : text) {
    switch (c) {
      case '\0': break;  // PostgreSQL's text cannot hold it
      case '\\': line += "\\\\"; break;
      case '\t': line += "\\t"; break;
      case '\n': line += "\\n"; break;
      case '\r': line += "\\r"; break;
      default: line += c;
    }
  }
  return *this;
}

CopyRows& CopyRows::Add(std::int64_t number) {
  Next() += std::to_string(number);
  return *this;
}

CopyRows& CopyRows::AddBytes(std::string_view bytes) {
  (Next() += "\\\\x") += HexEncode(bytes);
  return *this;
}

CopyRows& CopyRows::AddNull() {
  Next() += "\\N";
  return *this;
}

void CopyRows::EndRow() {
  send_(line_);
  line_.clear();
  first_ = true;
}

struct Session::Parts {
  explicit Parts(const std::string& url) : connection(url) {}
  pqxx::connection connection;
};

namespace {

// A row whose values are escaped already.
struct Line {
  const std::string& text;
};

// pqxx::stream_to makes a line of whatever it is given by this function; of a Line it is the text.
std::string separated_list(const char*, const Line& line, const pqxx::internal::TypedCopyEscaper&) {
  return line.text;
}

class LiveTransaction final : public Transaction {
 public:
  explicit LiveTransaction(pqxx::work& work) : work_(work) {}

  Result<Rows> Query(const std::string& sql, const std::vector<Value>& parameters) override {
    return Guard([&]() -> Result<Rows> {
      return Rows(std::make_shared<const Rows::Parts>(Rows::Parts{
          parameters.empty()
              ? work_.exec(sql)
              : work_.exec_params(sql, pqxx::prepare::make_dynamic_params(parameters))}));
    });
  }

  Status Copy(const std::string& into, const std::function<void(CopyRows&)>& add) override {
    return Guard([&]() -> Status {
      pqxx::stream_to stream(work_, into);
      CopyRows rows([&stream](const std::string& line) { stream << Line{line}; });
      add(rows);
      stream.complete();
      return {};
    });
  }

 private:
  pqxx::work& work_;
};

}  // namespace

Session::Session(Options options) : options_(std::move(options)) {}
Session::~Session() = default;

Status Session::Connect() {
  return Guard([&]() -> Status {
    parts_ = std::make_unique<Parts>(WithLimits(options_.url.Reveal(), options_.application));
    pqxx::nontransaction once(parts_->connection);
    once.exec("set statement_timeout = " + std::to_string(options_.statement_limit.count()));
    // A transaction that its process forgot must not hold its locks for ever.
    once.exec("set idle_in_transaction_session_timeout = 60000");
    once.exec("set client_min_messages = warning");
    // Statements here are short. Compiling one takes longer than running it, and a scan that
    // prefer_indexes forbids looks dear enough to be compiled.
    once.exec("set jit = off");
    if (!options_.durable_commit) once.exec("set synchronous_commit = off");
    if (options_.prefer_indexes) once.exec("set enable_seqscan = off");
    if (!options_.at_connect.empty()) once.exec(options_.at_connect);
    return {};
  });
}

Status Session::Run(const std::function<Status(Transaction&)>& body) {
  if (!parts_) {
    if (Status connected = Connect(); !connected) {
      parts_.reset();
      return connected;
    }
  }
  Status outcome = Guard([&]() -> Status {
    pqxx::work work(parts_->connection);
    LiveTransaction transaction(work);
    TOCSIN_CHECK_OK(body(transaction));  // leaving without a commit rolls back
    work.commit();
    return {};
  });
  // A new connection is cheap beside an error and always in a known state.
  if (!outcome && outcome.error().code == ErrorCode::kPostgresUnavailable) parts_.reset();
  return outcome;
}

}  // namespace tocsin::postgres
