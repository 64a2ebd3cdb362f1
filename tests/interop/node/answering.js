// Answers lines on standard input, one after another, with the function that the first word names.
import { createInterface } from 'node:readline'

export async function answerLines(functions) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split(' ')
    console.log(await functions[name](...words))
  }
  process.exit()
}

export function refused(error) {
  console.error(error)
  return 'refused'
}
