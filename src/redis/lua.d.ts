/** A Lua file is its text: the build and the tests load it so. */
declare module "*.lua" {
  const text: string;
  export default text;
}
