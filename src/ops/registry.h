#pragma once
// The op table: built-in rows from ops.def, then whatever users register at start-up.
#include "ir/op.h"

namespace temper {

// `row` must live as long as the process. Error invalid if the name is taken. Not while graphs are being
// built.
void register_op(const Op& row);
const Op* find_op(std::string_view name);  // null if unknown
const Op& op(std::string_view name);       // internal error if unknown
std::vector<const Op*> all_ops();          // in table order

Graph parse_graph(std::string_view text);  // ir/text.h, over this table

}  // namespace temper
