"""The types of a `gemini.generate` body. The body is a `GenerateContentResponse`."""

from reducer.dialects.gemini_generate.body import (
    Blob,
    Candidate,
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FileData,
    FunctionCall,
    GenerateContentResponse,
    Part,
    PromptFeedback,
    UsageMetadata,
)

__all__ = [
    "Blob",
    "Candidate",
    "CodeExecutionResult",
    "Content",
    "ExecutableCode",
    "FileData",
    "FunctionCall",
    "GenerateContentResponse",
    "Part",
    "PromptFeedback",
    "UsageMetadata",
]
