module.exports = require('../dist/vue.js');
