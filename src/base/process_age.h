#pragma once

namespace temper {

double
process_age_seconds();  // since the kernel started this process, to 10 ms; 0 if the system does not say

}  // namespace temper
