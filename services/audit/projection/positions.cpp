#include "services/audit/projection/positions.h"

#include <utility>
#include <vector>

namespace tocsin::audit {

using postgres::RowArrays;
using postgres::Rows;
using postgres::Transaction;
using postgres::Value;

Result<std::optional<std::int64_t>> ReadPosition(Transaction& transaction,
                                                 const std::string& cluster_id,
                                                 const PartitionKey& partition) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query("SELECT next_offset FROM tocsin.positions"
                               " WHERE cluster_id = $1 AND topic = $2 AND partition = $3::integer",
                               {cluster_id, partition.first, std::to_string(partition.second)}));
  if (rows.size() == 0) return std::optional<std::int64_t>();
  return std::optional(rows.Integer(0, 0));
}

Result<Positions> ReadPositions(Transaction& transaction, const std::string& cluster_id) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(
                 "SELECT topic, partition, next_offset FROM tocsin.positions WHERE cluster_id = $1",
                 {cluster_id}));
  Positions positions;
  for (size_t i = 0; i < rows.size(); ++i)
    positions[{std::string(rows.Text(i, 0)), static_cast<std::int32_t>(rows.Integer(i, 1))}] =
        rows.Integer(i, 2);
  return positions;
}

Status MovePositions(Transaction& transaction, const std::string& cluster_id,
                     const std::map<PartitionKey, PositionMove>& moves) {
  constexpr char kUpdate[] = R"(
    UPDATE tocsin.positions AS p SET next_offset = s.next
      FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) AS s (topic, part, old, next)
     WHERE p.cluster_id = $1 AND p.topic = s.topic AND p.partition = s.part AND p.next_offset = s.old)";
  constexpr char kInsert[] = R"(
    INSERT INTO tocsin.positions (cluster_id, topic, partition, next_offset)
    SELECT $1, s.topic, s.part, s.next FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS s (topic, part, next)
    ON CONFLICT DO NOTHING)";
  RowArrays known(4, moves.size());
  RowArrays first(3, moves.size());
  for (const auto& [partition, move] : moves) {
    RowArrays& rows = move.from ? known : first;
    rows.Add(partition.first).Add(partition.second);
    if (move.from) rows.Add(*move.from);
    rows.Add(move.to).EndRow();
  }
  size_t moved = 0;
  for (auto& [rows, sql] : {std::pair{&known, kUpdate}, std::pair{&first, kInsert}}) {
    if (rows->empty()) continue;
    std::vector<Value> parameters = std::move(*rows).Parameters();
    parameters.insert(parameters.begin(), cluster_id);
    TOCSIN_TRY(const Rows done, transaction.Query(sql, parameters));
    moved += done.affected();
  }
  if (moved != moves.size())
    return Fail(ErrorCode::kOutcomeUnknown, "another process moved a position of this batch");
  return {};
}

}  // namespace tocsin::audit
