export { default } from "../../../src/ws/index.ts"
