export const MODEL = process.env.WHISPER_MODEL ?? 'onnx-community/whisper-tiny.en'
