#pragma once

namespace temper {

// Since the kernel started this process, to 10 ms; 0 if the system does not say.
double process_age_seconds();

}  // namespace temper
