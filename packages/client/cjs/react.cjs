'use client';

module.exports = require('../dist/react.js');
