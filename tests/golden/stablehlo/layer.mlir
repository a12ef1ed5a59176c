module @temper {
 func.func public @main(%0: tensor<4x3xf32> {tf.aliasing_output = 0 : i32}, %1: tensor<2x4xf32>, %2: tensor<f32>) -> (tensor<4x3xf32>, tensor<f32>) {
  %3 = "stablehlo.dot_general"(%1, %0) {dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  %4 = "stablehlo.constant"() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %5 = "stablehlo.broadcast_in_dim"(%4) {broadcast_dimensions = array<i64>} : (tensor<f32>) -> tensor<2x3xf32>
  %6 = "stablehlo.maximum"(%3, %5) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = "stablehlo.transpose"(%1) {permutation = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
  %8 = "stablehlo.dot_general"(%7, %6) {dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  %9 = "stablehlo.broadcast_in_dim"(%2) {broadcast_dimensions = array<i64>} : (tensor<f32>) -> tensor<4x3xf32>
  %10 = "stablehlo.multiply"(%8, %9) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %11 = "stablehlo.subtract"(%0, %10) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %12 = "stablehlo.constant"() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %16 = "stablehlo.reduce"(%6, %12) ({
  ^bb0(%13: tensor<f32>, %14: tensor<f32>):
    %15 = "stablehlo.add"(%13, %14) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%15) : (tensor<f32>) -> ()
  }) {dimensions = array<i64: 0, 1>} : (tensor<2x3xf32>, tensor<f32>) -> tensor<f32>
  "func.return"(%11, %16) : (tensor<4x3xf32>, tensor<f32>) -> ()
 }
}
