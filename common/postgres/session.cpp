#include "common/postgres/session.h"

#include <charconv>
#include <cstdlib>
#include <pqxx/pqxx>
#include <unordered_map>
#include <utility>

#include "common/base/encoding.h"

namespace tocsin::postgres {
namespace {

// The name of the violated constraint. The rest of the message may contain values.
std::string ConstraintIn(std::string_view message) {
  constexpr std::string_view kPrefix = "constraint \"";
  const size_t begin = message.find(kPrefix);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = message.substr(begin + kPrefix.size());
  return std::string(rest.substr(0, rest.find('"')));
}

// SQLSTATE classes (PostgreSQL, appendix A) of errors that may not occur again: connection,
// transaction rollback, resources, object state, operator intervention, system error.
bool IsTransient(std::string_view state) {
  for (const std::string_view prefix : {"08", "40", "53", "55", "57", "58"})
    if (state.starts_with(prefix)) return true;
  return state == "25006";  // read-only: a standby that is not promoted yet
}

Error ToError(const pqxx::sql_error& caught) {
  const std::string& state = caught.sqlstate();
  const std::string_view message = caught.what();
  if (state.empty() || IsTransient(state))
    return Error{.code = ErrorCode::kPostgresUnavailable,
                 .message = "PostgreSQL is unavailable (SQLSTATE " + state + ")"};
  std::string text = "PostgreSQL rejected a statement (SQLSTATE " + state + ")";
  if (const std::string constraint = ConstraintIn(message); !constraint.empty())
    text += ", constraint " + constraint;
  // A syntax error or a missing object: the first line contains no values.
  if (state.starts_with("42")) text += ": " + std::string(message.substr(0, message.find('\n')));
  const bool data = state.starts_with("22") || state.starts_with("23");
  return Error{.code = data ? ErrorCode::kDataCorrupted : ErrorCode::kInternal,
               .message = std::move(text)};
}

// Runs `body` and converts exceptions to errors.
template <typename Body>
auto CatchErrors(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const pqxx::in_doubt_error&) {
    return Fail(ErrorCode::kPostgresUnavailable, "connection to PostgreSQL lost during commit");
  } catch (const pqxx::broken_connection&) {
    return Fail(ErrorCode::kPostgresUnavailable, "no connection to PostgreSQL");
  } catch (const pqxx::transaction_rollback&) {  // not a pqxx::sql_error
    return Fail(ErrorCode::kPostgresUnavailable,
                "PostgreSQL aborted the transaction because of another");
  } catch (const pqxx::sql_error& caught) {
    return Fail(ToError(caught));
  } catch (const std::exception& caught) {
    // Misuse of the library. Its message may contain values.
    return Fail(ErrorCode::kInternal, std::string("libpqxx: ") + typeid(caught).name());
  }
}

// A connection string is a URI or key=value pairs; parameters can be appended to both.
std::string WithParameters(const std::string& url, const std::string& application) {
  const std::string parameters[] = {
      "connect_timeout=" + std::to_string(kConnectTimeout.count()),
      "tcp_user_timeout=" + std::to_string(std::chrono::milliseconds(kTcpUserTimeout).count()),
      "application_name=" + application};
  const bool is_uri = url.find("://") != std::string::npos;
  std::string text = url;
  for (const std::string& parameter : parameters) {
    if (is_uri) {
      text += text.find('?') == std::string::npos ? '?' : '&';
    } else {
      text += ' ';
    }
    text += parameter;
  }
  return text;
}

}  // namespace

struct Rows::Impl {
  pqxx::result result;
};

size_t Rows::size() const { return impl_->result.size(); }
size_t Rows::affected() const { return impl_->result.affected_rows(); }

bool Rows::IsNull(size_t row, size_t column) const {
  return impl_
      ->result[static_cast<pqxx::row_size_type>(row)][static_cast<pqxx::row_size_type>(column)]
      .is_null();
}

std::string_view Rows::Text(size_t row, size_t column) const {
  const pqxx::field field =
      impl_
          ->result[static_cast<pqxx::row_size_type>(row)][static_cast<pqxx::row_size_type>(column)];
  return {field.c_str(), field.size()};
}

std::optional<std::int64_t> Rows::OptionalInteger(size_t row, size_t column) const {
  if (IsNull(row, column)) return std::nullopt;
  const std::string_view text = Text(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    std::abort();  // not a column of numbers
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
constexpr size_t kEstimatedValueBytes = 24;
}

RowArrays::RowArrays(size_t columns, size_t expected) : columns_(columns) {
  for (std::string& column : columns_) {
    column.reserve(expected * kEstimatedValueBytes);
    column += '{';
  }
}

std::string& RowArrays::Next() {
  std::string& column = columns_.at(next_++);
  if (rows_ > 0) column += ',';
  return column;
}

RowArrays& RowArrays::Add(std::string_view text) {
  std::string& column = Next();
  column += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') column += '\\';
    if (c != '\0') column += c;  // text columns cannot contain it
  }
  column += '"';
  return *this;
}

RowArrays& RowArrays::Add(std::int64_t number) {
  Next() += std::to_string(number);
  return *this;
}

RowArrays& RowArrays::AddBytes(std::string_view bytes) {
  std::string& column = Next();
  column += "\"\\\\x";  // the array's quote, and an escaped backslash
  column += HexEncode(bytes);
  column += '"';
  return *this;
}

RowArrays& RowArrays::AddNull() {
  Next() += "NULL";
  return *this;
}

void RowArrays::EndRow() {
  if (next_ != columns_.size()) std::abort();  // incomplete row
  next_ = 0;
  ++rows_;
}

std::vector<Value> RowArrays::Parameters() && {
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
      case '\0': break;  // text columns cannot contain it
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

struct Session::Impl {
  explicit Impl(const std::string& url) : connection(url) {}
  pqxx::connection connection;
  std::unordered_map<std::string, std::string> prepared;  // text of a statement -> its name
};

namespace {

// A row in COPY's text format.
struct CopyLine {
  const std::string& text;
};

// pqxx::stream_to calls this function to format a row.
std::string separated_list(const char*, const CopyLine& line,
                           const pqxx::internal::TypedCopyEscaper&) {
  return line.text;
}

class LiveTransaction final : public Transaction {
 public:
  // `prepared`: the names of prepared statements by their texts; null if none are prepared.
  LiveTransaction(pqxx::work& work, std::unordered_map<std::string, std::string>* prepared)
      : work_(work), prepared_(prepared) {}

  Result<Rows> Query(const std::string& sql, const std::vector<Value>& parameters) override {
    return CatchErrors([&]() -> Result<Rows> {
      return Rows(std::make_shared<const Rows::Impl>(Rows::Impl{Execute(sql, parameters)}));
    });
  }

  Result<bool> Copy(const std::string& target,
                    const std::function<void(RowWriter&)>& add) override {
    return CatchErrors([&]() -> Result<bool> {
      pqxx::subtransaction savepoint(work_);
      try {
        pqxx::stream_to stream(savepoint, target);
        CopyRows rows([&stream](const std::string& line) { stream << CopyLine{line}; });
        add(rows);
        stream.complete();
      } catch (const pqxx::unique_violation&) {
        savepoint.abort();
        return false;
      }
      savepoint.commit();
      return true;
    });
  }

 private:
  pqxx::result Execute(const std::string& sql, const std::vector<Value>& parameters) {
    if (parameters.empty()) return work_.exec(sql);
    const auto dynamic = pqxx::prepare::make_dynamic_params(parameters);
    const std::string* name = prepared_ != nullptr ? Prepare(sql) : nullptr;
    return name != nullptr ? work_.exec_prepared(*name, dynamic) : work_.exec_params(sql, dynamic);
  }

  // The name of the prepared statement; null if there are too many.
  const std::string* Prepare(const std::string& sql) {
    if (const auto found = prepared_->find(sql); found != prepared_->end()) return &found->second;
    if (prepared_->size() == kMaxPreparedStatements) return nullptr;
    const std::string name = "s" + std::to_string(prepared_->size());
    work_.conn().prepare(name, sql);  // PostgreSQL gets it with its first use
    return &prepared_->emplace(sql, name).first->second;
  }

  pqxx::work& work_;
  std::unordered_map<std::string, std::string>* prepared_;
};

}  // namespace

Session::Session(Options options) : options_(std::move(options)) {}
Session::~Session() = default;

Status Session::Connect() {
  return CatchErrors([&]() -> Status {
    impl_ = std::make_unique<Impl>(WithParameters(options_.url.Reveal(), options_.application));
    pqxx::nontransaction setup(impl_->connection);
    setup.exec("set statement_timeout = " + std::to_string(options_.statement_timeout.count()));
    // Releases the locks of a transaction whose process hangs.
    setup.exec("set idle_in_transaction_session_timeout = 60000");
    setup.exec("set client_min_messages = warning");
    // Statements are short: compiling one takes longer than running it. With prefer_indexes the
    // estimated costs are high enough to trigger it.
    setup.exec("set jit = off");
    if (!options_.synchronous_commit) setup.exec("set synchronous_commit = off");
    if (options_.prefer_indexes) setup.exec("set enable_seqscan = off");
    if (options_.prepare_statements) setup.exec("set plan_cache_mode = force_generic_plan");
    return {};
  });
}

Status Session::Run(const std::function<Status(Transaction&)>& body) {
  if (!impl_) {
    if (Status connected = Connect(); !connected) {
      impl_.reset();
      return connected;
    }
  }
  Status outcome = CatchErrors([&]() -> Status {
    pqxx::work work(impl_->connection);
    LiveTransaction transaction(work, options_.prepare_statements ? &impl_->prepared : nullptr);
    TOCSIN_CHECK_OK(body(transaction));  // leaving without a commit rolls back
    work.commit();
    return {};
  });
  // A new connection is in a known state. It also has no prepared statements, which PostgreSQL
  // refuses after a change of the columns that they return.
  if (!outcome && (outcome.error().code == ErrorCode::kPostgresUnavailable ||
                   outcome.error().code == ErrorCode::kInternal))
    impl_.reset();
  return outcome;
}

}  // namespace tocsin::postgres
