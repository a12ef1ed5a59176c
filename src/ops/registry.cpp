#include "ops/registry.h"

#include <algorithm>

#include "ir/text.h"
#include "ops/rows.h"

namespace temper {

static std::vector<const Op*>& table() {
  static std::vector<const Op*> rows{
#define OP(name) &name##_op,
#include "ops/ops.def"
#undef OP
  };
  return rows;
}

void register_op(const Op& row) {
  if (find_op(row.name))
    throw Error(ErrorKind::invalid, concat("an op named ", row.name, " exists already: choose another name"));
  table().push_back(&row);
}

const Op* find_op(std::string_view name) {
  const auto found =
      std::find_if(table().begin(), table().end(), [&](const Op* row) { return row->name == name; });
  return found == table().end() ? nullptr : *found;
}

const Op& op(std::string_view name) {
  const Op* found = find_op(name);
  TEMPER_CHECK(found, "no op ", name);
  return *found;
}

std::vector<const Op*> all_ops() { return table(); }

Graph parse_graph(std::string_view text) { return parse_graph(text, find_op); }

}  // namespace temper
