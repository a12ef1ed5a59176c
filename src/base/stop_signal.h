#pragma once
// SIGINT and SIGTERM as a request that long work polls between steps.

namespace temper {

// From now on the first of them is only remembered; a second ends the process at once with 128 + its number.
void catch_stop_signals();

int stop_signal();  // 0, SIGINT or SIGTERM; cheap, from any thread

void forget_stop_signal();  // after it was obeyed, in a program that goes on

}  // namespace temper
