"""Keras 3 on TensorFlow; common.py says how it is called. A variant is words: fit, "50 a call" (steps_per_execution), cached,
"no jit"; `keras_peer.py models` writes what LiteRT runs."""
import os

os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
import time

import common
from common import threads, variant, work, workload

import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
OPTIONS = {"jit_compile": False if "no jit" in variant else "auto", "steps_per_execution": 50 if "50 a call" in variant else 1}


def compiled(model: keras.Model) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], **OPTIONS)
    return model


def mlp() -> keras.Model:
    return compiled(keras.Sequential([keras.Input((784,)), layers.Dense(128, "relu"), layers.Dense(10)]))


def cnn() -> keras.Model:
    def block(channels: int) -> list:
        return [layers.Conv2D(channels, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
    return compiled(keras.Sequential([keras.Input((32, 32, 3)), *block(32), *block(64), layers.Flatten(),
                                      layers.Dense(512, "relu"), layers.Dense(10)]))


def steps_of(model: keras.Model, shape: tuple[int, ...], count: int) -> None:
    """Epochs over so many random samples; the first, which compiles, is not among those measured."""
    random = np.random.default_rng(0)
    x, y = random.random((count, *shape), np.float32), random.integers(0, 10, count)
    model.fit(x[:32], y[:32], batch_size=32, verbose=0)
    first = time.perf_counter() - common.BEGIN
    epochs = []
    clock = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(-time.perf_counter()),
                                           on_epoch_end=lambda epoch, logs: epochs.append(epochs.pop() + time.perf_counter()))
    model.fit(x, y, batch_size=32, epochs=6, verbose=0, callbacks=[clock])
    common.finish(value=count / sorted(epochs[1:])[2], first_seconds=first)


def mnist_job() -> None:
    model = mlp()
    x, y = common.mnist("train")
    model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    common.finish(accuracy=float(model.evaluate(*common.mnist("t10k"), batch_size=1000, verbose=0)[1]))


def photos(part: str, shuffle: bool) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(work / "clothing10" / part, image_size=(224, 224), batch_size=32,
                                                    shuffle=shuffle, verbose=False).prefetch(tf.data.AUTOTUNE)


def photo_job(name: str) -> None:
    make = keras.applications.ResNet50 if name == "resnet50" else keras.applications.MobileNetV2
    body = make(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    body.trainable = False
    pictures = keras.Input((224, 224, 3))
    features = keras.Model(pictures, body(layers.Rescaling(1 / 127.5, -1)(pictures), training=False))
    head = keras.Sequential([keras.Input(features.output.shape[1:]), layers.Dense(1024, "relu"), layers.Dense(10)])
    whole = keras.Model(pictures, head(features.output))
    if "cached" in variant:
        features.compile(jit_compile=False)
        pairs = [(features.predict_on_batch(x), y.numpy()) for x, y in photos("train", True)]
        x, y = (np.concatenate(parts) for parts in zip(*pairs))
        compiled(head).fit(x, y, batch_size=32, epochs=10, verbose=0)
    else:
        compiled(whole).fit(photos("train", True), epochs=10, verbose=0)
    common.finish(accuracy=float(compiled(whole).evaluate(photos("val", False), verbose=0)[1]))


def write_models() -> None:
    """In f32, and in int8 calibrated on noise: the weights are random, too."""
    noise = np.random.default_rng(0)
    for name, make in [("mobilenet_v2", keras.applications.MobileNetV2), ("resnet50", keras.applications.ResNet50)]:
        model = make(weights=None)
        (work / f"models/{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([noise.uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)] for _ in range(8))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        (work / f"models/{name}.int8.tflite").write_bytes(converter.convert())


if workload == "models":
    write_models()
elif workload == "w1":
    mnist_job()
elif workload == "w1.step":
    steps_of(mlp(), (784,), 16000)
elif workload == "w2":
    steps_of(cnn(), (32, 32, 3), 3200)
else:
    photo_job(workload.split(".")[1])
