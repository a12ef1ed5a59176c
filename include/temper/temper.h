#pragma once
// All of the public API.
#include "temper/dtype.h"
#include "temper/error.h"
#include "temper/expression.h"
#include "temper/network.h"
#include "temper/shape.h"
#include "temper/tensor.h"
#include "temper/training.h"
